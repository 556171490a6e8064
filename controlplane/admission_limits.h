// What each field of an admission message may hold: asked of what was read, and of what is about to
// be written. Pure.
#pragma once

#include <controlplane/admission_codec.h>

#include <tl/expected.hpp>

namespace joinleaf::controlplane {

/// Errors: out_of_range with the field's name, version.
[[nodiscard]] tl::expected<void, DecodeError> check(const AdmissionMessage& message);

}  // namespace joinleaf::controlplane
