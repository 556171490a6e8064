// The files that admission needs.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/failure.h>
#include <controlplane/policy.h>
#include <controlplane/tls.h>

namespace joinleaf::app {

bool has_tls(const AdmissionOptions& options) noexcept {
    return !options.tls.psk.empty() || !options.tls.certificate.empty();
}

void check_files(const AdmissionOptions& options, bool connects) {
    const auto& tls = options.tls;
    if (has_tls(options)) {
        const auto loaded = controlplane::TlsContext::load({.psk_file = tls.psk,
                                                            .psk_identity = tls.psk_identity,
                                                            .certificate_file = tls.certificate,
                                                            .key_file = tls.key,
                                                            .ca_file = tls.ca,
                                                            .peer_name = tls.peer_name});
        if (!loaded) throw Failure(loaded.error());
        if (connects && !(*loaded)->can_connect()) {
            throw Failure(fmt::format(
                "{} holds several keys; say which to show, as in --tls-identity NAME", tls.psk));
        }
    }
    if (!options.policy.empty()) {
        if (const auto policy = controlplane::Policy::load(options.policy); !policy) {
            throw Failure(policy.error());
        }
    }
}

}  // namespace joinleaf::app
