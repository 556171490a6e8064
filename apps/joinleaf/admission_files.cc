// The files that admission needs.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/failure.h>
#include <controlplane/policy.h>
#include <controlplane/tls.h>

namespace joinleaf::app {

bool has_tls(const AdmissionOptions& options) noexcept {
    return !options.tls.psk.empty() || !options.tls.certificate.empty();
}

namespace {

bool both_have_policy(const AdmissionOptions& before, const AdmissionOptions& after) {
    return !before.policy.empty() && !after.policy.empty();
}

bool both_have_tls(const AdmissionOptions& before, const AdmissionOptions& after) {
    return has_tls(before) && has_tls(after);
}

}  // namespace

std::vector<std::string_view> live_files(const AdmissionOptions& before,
                                         const AdmissionOptions& after) {
    std::vector<std::string_view> keys;
    if (both_have_policy(before, after)) keys.emplace_back("policy");
    if (both_have_tls(before, after)) {
        keys.insert(keys.end(),
                    {"tls-psk", "tls-identity", "tls-cert", "tls-key", "tls-ca", "tls-peer"});
    }
    return keys;
}

AdmissionOptions with_live_files(AdmissionOptions before, const AdmissionOptions& after) {
    if (both_have_policy(before, after)) before.policy = after.policy;
    if (both_have_tls(before, after)) before.tls = after.tls;
    return before;
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
