#include <controlplane/admission_files.h>
#include <utility>

namespace joinleaf::controlplane {

bool has_tls(const AdmissionOptions& options) noexcept {
    const auto& names = options.tls;
    return !names.psk.empty() || !names.certificate.empty() || !names.ca.empty();
}

Parsed<AdmissionFiles> load_admission_files(const AdmissionOptions& options) {
    AdmissionFiles files;
    const auto& names = options.tls;
    if (has_tls(options)) {
        auto tls = TlsContext::load({.psk_file = names.psk,
                                     .psk_identity = names.psk_identity,
                                     .certificate_file = names.certificate,
                                     .key_file = names.key,
                                     .ca_file = names.ca,
                                     .peer_name = names.peer_name});
        if (!tls) return tl::unexpected(std::move(tls.error()));
        files.tls = std::move(*tls);
    }
    if (!options.policy.empty()) {
        auto policy = Policy::load(options.policy);
        if (!policy) return tl::unexpected(std::move(policy.error()));
        files.policy = std::move(*policy);
    }
    return files;
}

}  // namespace joinleaf::controlplane
