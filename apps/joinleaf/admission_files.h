// The files that admission needs: read before anything is started, for errors that say what to do.
#pragma once

#include <joinleaf/socket.h>

namespace joinleaf::app {

/// `connects`: whether this side asks or invites others, and so must show something. Errors: throws
/// Failure (a key, certificate or policy that cannot be used).
void check_files(const AdmissionOptions& options, bool connects);

[[nodiscard]] bool has_tls(const AdmissionOptions& options) noexcept;

}  // namespace joinleaf::app
