// What Prometheus asks a running root or leaf for: --metrics.
#pragma once

#include <apps/joinleaf/options.h>
#include <apps/joinleaf/report.h>
#include <joinleaf/runtime.h>

#include <memory>

namespace joinleaf::app {

/// Answers at http://IP:PORT/metrics until it ends; each scrape is a look at the runtime's status.
class Metrics {
public:
    /// `runtime` outlives it. Errors: throws Failure (nobody can listen there).
    Metrics(const ControlEndpoint& at, const Runtime& runtime);
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// With --metrics, and then it says where; else nothing.
[[nodiscard]] std::unique_ptr<Metrics> serve_metrics(const CommonOptions& common,
                                                     const Runtime& runtime, Reporter& report);

}  // namespace joinleaf::app
