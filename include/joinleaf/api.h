// What the shared library exports: what these headers declare in namespace JOINLEAF_API joinleaf.
#pragma once

#define JOINLEAF_API [[gnu::visibility("default")]]
