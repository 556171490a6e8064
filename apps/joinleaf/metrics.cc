#include <apps/joinleaf/descriptor.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/metric_families.h>
#include <apps/joinleaf/metrics.h>
#include <controlplane/sockaddr.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <sys/socket.h>

namespace joinleaf::app {
namespace {

/// A scrape's look at the runtime. Threads of the exposer.
class Look final : public prometheus::Collectable {
public:
    explicit Look(const Runtime& runtime) : runtime_(runtime) {}
    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
        return metric_families(controlplane::tables_of(runtime_.status()));
    }

private:
    const Runtime& runtime_;
};

// The exposer only says that something is wrong.
void check_free(const ControlEndpoint& at) {
    const Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = controlplane::to_sockaddr(at.address, at.port.value());
    const int reuse = 1;
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse) != 0 ||
        ::bind(fd.get(), generic, sizeof address) != 0 || ::listen(fd.get(), 1) != 0) {
        throw system_failure(
            "serve metrics at", at.to_string(), errno,
            errno == EADDRINUSE
                ? "another program listens there: name another port with --metrics"
                : "name an address of this host and a port that you may use with --metrics");
    }
}

}  // namespace

class Metrics::Impl {
public:
    Impl(const ControlEndpoint& at, const Runtime& runtime)
        : look_(std::make_shared<Look>(runtime)), exposer_(at.to_string()) {
        exposer_.RegisterCollectable(look_);
    }

private:
    std::shared_ptr<Look> look_;
    prometheus::Exposer exposer_;  ///< ends first: it waits for those that it answers
};

Metrics::Metrics(const ControlEndpoint& at, const Runtime& runtime) {
    check_free(at);
    try {
        impl_ = std::make_unique<Impl>(at, runtime);
    } catch (const std::exception& error) {
        throw Failure(fmt::format("cannot serve metrics at {}: {}", at.to_string(), error.what()));
    }
}

Metrics::~Metrics() = default;

std::unique_ptr<Metrics> serve_metrics(const CommonOptions& common, const Runtime& runtime,
                                       Reporter& report) {
    if (!common.metrics) return nullptr;
    auto metrics = std::make_unique<Metrics>(*common.metrics, runtime);
    const std::string at = fmt::format("http://{}/metrics", common.metrics->to_string());
    report.json({{"event", "metrics"}, {"at", at}});
    report.text(fmt::format("metrics for Prometheus at {}", at));
    return metrics;
}

}  // namespace joinleaf::app
