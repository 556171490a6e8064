// Between admission messages as values and as what protoc made of admission.proto. Pure.
#pragma once

#include <controlplane/admission_codec.h>

#include <string_view>
#include <system_error>
#include <tl/expected.hpp>

#include "admission.pb.h"

namespace joinleaf::controlplane {

/// Of a message that is within its limits.
[[nodiscard]] wire::Message to_wire(const AdmissionMessage& message);
/// Refuses what a value cannot hold; check() asks for the rest.
[[nodiscard]] tl::expected<AdmissionMessage, DecodeError> from_wire(const wire::Message& message);

/// Errors by number.
[[nodiscard]] wire::Reason number_of(std::errc reason);
[[nodiscard]] tl::expected<std::errc, DecodeError> reason_of(wire::Reason number,
                                                             std::string_view field);

}  // namespace joinleaf::controlplane
