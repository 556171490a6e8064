// The files that admission needs: read before anything is started, for errors that say what to do.
#pragma once

#include <joinleaf/socket.h>

#include <string_view>
#include <vector>

namespace joinleaf::app {

/// `connects`: whether this side asks or invites others, and so must show something. Errors: throws
/// Failure (a key, certificate or policy that cannot be used).
void check_files(const AdmissionOptions& options, bool connects);

[[nodiscard]] bool has_tls(const AdmissionOptions& options) noexcept;

/// What of the files can be others while it runs: a policy in the place of a policy, TLS in the
/// place of TLS. As the keys of a configuration.
[[nodiscard]] std::vector<std::string_view> live_files(const AdmissionOptions& before,
                                                       const AdmissionOptions& after);
/// `before` with those files of `after`.
[[nodiscard]] AdmissionOptions with_live_files(AdmissionOptions before,
                                               const AdmissionOptions& after);

}  // namespace joinleaf::app
