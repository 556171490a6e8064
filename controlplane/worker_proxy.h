// The only writer of a worker's commands: sends them, and calls back when they are acknowledged.
#pragma once

#include <dataplane/command.h>
#include <dataplane/worker.h>

#include <deque>
#include <functional>
#include <vector>

namespace joinleaf::controlplane {

/// Control thread only. Commands are carried out in the order they were given. What does not fit
/// the worker's queue waits here; nobody spins.
class WorkerProxy {
public:
    using Done = std::function<void(const dataplane::Acknowledgement&)>;
    using What = decltype(dataplane::Command::what);

    explicit WorkerProxy(dataplane::Worker& worker);
    /// Frees the frames that never got as far as the worker. What waits for an answer is let go.
    ~WorkerProxy();
    WorkerProxy(const WorkerProxy&) = delete;
    WorkerProxy& operator=(const WorkerProxy&) = delete;

    void send(const What& what, Done done);
    /// Calls back for everything that was acknowledged, and sends on what waits.
    void poll();

    /// Commands that are not acknowledged yet.
    [[nodiscard]] std::size_t outstanding() const { return under_way_ + waiting_.size(); }
    /// So many that replies to strangers (ARP, echo) had better be left out.
    [[nodiscard]] bool is_congested() const {
        return outstanding() > dataplane::Worker::kCommandSlots / 2;
    }
    [[nodiscard]] dataplane::Worker& worker() { return worker_; }

private:
    struct Waiting {
        What what;
        Done done;
    };
    void pass_on();

    dataplane::Worker& worker_;
    std::vector<Done> done_;  ///< by token
    std::vector<std::uint32_t> free_tokens_;
    std::deque<Waiting> waiting_;
    std::size_t under_way_ = 0;
};

}  // namespace joinleaf::controlplane
