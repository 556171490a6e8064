// The files that a socket's admission options name, read and checked.
#pragma once

#include <controlplane/policy.h>
#include <controlplane/tls.h>
#include <joinleaf/socket.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace joinleaf::controlplane {

struct AdmissionFiles {
    std::shared_ptr<const TlsContext> tls;  ///< none: plain TCP
    std::optional<Policy> policy;           ///< none: whoever asks
};

/// Whether any of its files is named.
[[nodiscard]] bool has_tls(const AdmissionOptions& options) noexcept;

/// Any thread. Error: one sentence that names the file and the cure.
[[nodiscard]] Parsed<AdmissionFiles> load_admission_files(const AdmissionOptions& options);

}  // namespace joinleaf::controlplane
