// What options name on this host.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/named.h>
#include <apps/joinleaf/state_file.h>
#include <dataplane/dpdk/eal.h>
#include <fmt/format.h>

namespace joinleaf::app {
namespace {

/// A check that throws Failure, as one of `option`.
template <class Check>
void attempt(Complaints& wrong, std::string_view option, Check check) {
    wrong.attempt([&] {
        try {
            check();
        } catch (const Failure& failure) {
            throw WrongUse(fmt::format("{}: {}", option, failure.what()));
        }
    });
}

void check_admission(const AdmissionOptions& options, bool connects, Complaints& wrong) {
    AdmissionOptions policy;
    policy.policy = options.policy;
    attempt(wrong, "--policy", [&] { check_files(policy, connects); });
    AdmissionOptions tls;
    tls.tls = options.tls;
    attempt(wrong, tls.tls.psk.empty() ? "--tls-cert" : "--tls-psk",
            [&] { check_files(tls, connects); });
}

void check_run(const CommonOptions& common, const PortOptions& port, Complaints& wrong) {
    if (common.state) attempt(wrong, "--state", [&] { StateFile::check(*common.state); });
    wrong.attempt([&] { valid(check_cpu_count(common, port.queues)); });
}

void check_leaf(const LeafOptions& leaf, Complaints& wrong) {
    check_run(leaf.common, leaf.port, wrong);
    if (!leaf.admission) return;
    check_admission(leaf.admission->options, leaf.admission->root.has_value(), wrong);
}

}  // namespace

void check_named(const Invocation& invocation, Complaints& wrong) {
    if (const auto* root = std::get_if<RootOptions>(&invocation)) {
        check_run(root->common, root->port, wrong);
        if (!root->admission) return;
        check_admission(root->admission->options, !root->admission->invite.empty(), wrong);
    } else if (const auto* leaf = std::get_if<LeafOptions>(&invocation)) {
        check_leaf(*leaf, wrong);
    } else if (const auto* repair = std::get_if<RepairOptions>(&invocation)) {
        check_leaf(repair->leaf, wrong);
    }
}

Parsed<void> check_cpu_count(const CommonOptions& common, std::size_t workers) {
    const auto usable = dataplane::dpdk::usable_cpus().size();
    if (!common.cpus.empty() || workers <= usable) return {};
    return tl::unexpected(
        fmt::format("--queues: {} workers need as many CPUs, and this process may run on {}; "
                    "ask for fewer queues, or name CPUs to share with --cpu",
                    workers, usable));
}

}  // namespace joinleaf::app
