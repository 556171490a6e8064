// The command `doctor`: looks at the host and at a port, and listens on it for a while.
#include <apps/joinleaf/doctor/findings.h>
#include <apps/joinleaf/doctor/report.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/run.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using doctor::Finding;
using doctor::Findings;
using doctor::Level;

constexpr int kLookMs = 200;
/// At least so long strangers' frames are counted, though a querier was heard at once.
constexpr auto kCountStrangers = 3s;

/// Says each finding as soon as it is known.
class Teller {
public:
    explicit Teller(Reporter& report) : report_(report) {}

    void tell(Findings findings) {
        for (auto& finding : findings) tell(std::move(finding));
    }
    void tell(Finding finding) {
        if (report_.options().json) {
            report_.json(json_of(finding));
        } else if (!report_.options().quiet || finding.level >= Level::warn) {
            report_.answer(text_of(finding));
        }
        told_.push_back(std::move(finding));
    }
    /// The exit code.
    int end() {
        if (report_.options().json) {
            report_.json(summary_json(told_));
        } else if (!report_.options().quiet) {
            report_.answer(summary_text(told_));
        }
        return has_failure(told_) ? kExitFailure : kExitDone;
    }

private:
    Reporter& report_;
    Findings told_;
};

doctor::PortFacts look_at_port(const PortOptions& options) {
    const auto spec = controlplane::parse_port_spec(options.port);
    if (!spec) throw Failure(spec.error());
    doctor::PortFacts port{.spec = *spec, .mtu = options.mtu};
    if (spec->kind == controlplane::PortKind::pci) port.pci = doctor::look_at_pci(spec->text);
    if (spec->is_kernel_interface()) {
        port.interface = doctor::look_at_interface(spec->name);
        if (port.interface && port.interface->pci) {
            port.pci = doctor::look_at_pci(*port.interface->pci);
        }
    }
    return port;
}

/// Listens until a querier was heard, the time is over, or somebody wants it to end.
doctor::Heard listen(const DoctorOptions& options, Surroundings& surroundings) {
    // What the runtime remarks of the port is what the findings say.
    Reporter nobody({.quiet = true});
    Surroundings unheard{nobody, surroundings.signals, surroundings.began};
    Runtime runtime = start_runtime(options.common, {*options.port}, unheard);
    const Instant began = Instant::clock::now();
    const auto status = [&] { return runtime.status().ports.at(0); };
    doctor::Heard heard{.before = status(), .after = {}};
    while (true) {
        heard.after = status();
        const auto passed = Instant::clock::now() - began;
        heard.listened = std::chrono::duration_cast<std::chrono::seconds>(passed);
        if (passed >= options.querier_wait) break;
        if (heard.after.querier.heard && passed >= kCountStrangers) break;
        if (surroundings.signals.asked_to_stop()) break;
        surroundings.report.live(fmt::format("listening for a querier: {} of {} s",
                                             heard.listened.count(), options.querier_wait.count()));
        pollfd signal{.fd = surroundings.signals.fd(), .events = POLLIN, .revents = 0};
        ::poll(&signal, 1, kLookMs);
    }
    return heard;
}

Findings try_port(const DoctorOptions& options, Surroundings& surroundings) {
    try {
        return judge_heard(listen(options, surroundings));
    } catch (const std::exception& error) {
        const std::string said = in_one_line(error);
        const auto end = said.find("; ");
        if (end == std::string::npos) return {{Level::fail, "port", said, {}}};
        return {{Level::fail, "port", said.substr(0, end), said.substr(end + 2)}};
    }
}

}  // namespace

int run_doctor(const DoctorOptions& options, Surroundings& surroundings) {
    Teller teller(surroundings.report);
    const doctor::HostFacts host = doctor::look_at_host();
    if (!options.port) {
        teller.tell(judge_host(host, nullptr, options.common.cpus));
        teller.tell({Level::skip, "port",
                     "none was named: link, MTU, querier and filter are not "
                     "looked at",
                     "joinleaf doctor --port eth1 --address 10.0.0.11/24"});
        return teller.end();
    }
    const doctor::PortFacts port = look_at_port(*options.port);
    teller.tell(judge_host(host, &port, options.common.cpus));
    const Findings findings = judge_port(port);
    teller.tell(findings);
    if (has_failure(findings)) {
        teller.tell({Level::skip, "querier", "the port was not opened", "cure what failed first"});
    } else if (!options.listens) {
        teller.tell(
            {Level::skip, "querier", "the port was not opened, as it has no address",
             fmt::format("joinleaf doctor --port {} --address 10.0.0.11/24", options.port->port)});
    } else {
        teller.tell(try_port(options, surroundings));
    }
    return teller.end();
}

}  // namespace joinleaf::app
