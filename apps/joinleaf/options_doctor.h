// The options of `doctor`, as options.cc finds them typed.
#pragma once

#include <apps/joinleaf/typed.h>

namespace joinleaf::app {

/// Errors: throws WrongUse.
[[nodiscard]] DoctorOptions doctor_options(const Typed& typed, CommonOptions common);

}  // namespace joinleaf::app
