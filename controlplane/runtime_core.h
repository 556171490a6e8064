// All that a runtime owns, and the order in which it starts and stops.
#pragma once

#include <controlplane/admission_transport.h>
#include <controlplane/control_loop.h>
#include <controlplane/doorkeeper.h>
#include <controlplane/flight_recorder.h>
#include <controlplane/port_context.h>
#include <controlplane/receiver_impl.h>
#include <controlplane/repair_host_impl.h>
#include <controlplane/rooted_context.h>
#include <controlplane/runtime_plan.h>
#include <controlplane/socket_core.h>
#include <controlplane/status_service.h>
#include <controlplane/worker_proxy.h>
#include <dataplane/dpdk/eal.h>
#include <dataplane/worker.h>

#include <joinleaf/runtime.h>
#include <atomic>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace joinleaf::controlplane {

/// Handles that applications hold keep it alive; after stop() it only says that it has stopped.
class RuntimeCore {
public:
    explicit RuntimeCore(RuntimeOptions options);
    ~RuntimeCore();

    /// Any thread. Errors: throws std::system_error.
    void start();
    void stop(std::chrono::milliseconds linger);

    /// Runs `work` on the control thread. Any thread. After stop(): on the calling thread.
    template <class Work>
    std::invoke_result_t<Work> call(Work&& work) {
        return loop_.call(std::forward<Work>(work));
    }
    template <class Work>
    void post(Work&& work) {
        loop_.post(std::forward<Work>(work));
    }

    /// Any thread.
    Result<RecorderDump> dump_recorder(const std::string& path);
    bool record_around(std::string_view why);

    /// Whether this is the control thread.
    [[nodiscard]] bool is_inside() const { return loop_.is_inside(); }

    // Control thread.
    /// A socket whose place in the data plane is part of opening it (a root's) has it when `ready`
    /// is called; for others that is at once.
    using Ready = std::function<void(std::error_code)>;
    Result<std::shared_ptr<SocketCore>> open(const SocketOptions& options, Ready ready);
    Result<Receiver> open_receiver(const ReceiverOptions& options);
    /// `others`: those of FeedPublisherOptions::also_by; `repair`: who sends again what was lost.
    /// Errors: as Socket::feed_publisher().
    Result<void> publish_feed(const std::shared_ptr<SocketCore>& socket,
                              const std::shared_ptr<FeedPublisher::Impl>& feed,
                              const std::optional<RepairServerOptions>& repair,
                              SocketCore::Others others);
    /// Errors: as Runtime::open_repair_host().
    Result<void> open_repair(const std::shared_ptr<RepairHost::Impl>& host,
                             const RepairHostOptions& options);
    void close(SocketId id);
    /// Now, and not with the next tick: somebody waits.
    void take_acknowledgements();
    [[nodiscard]] Status status() const;
    [[nodiscard]] std::vector<LeafStatus> leaves(SocketId socket, std::uint64_t after,
                                                 std::size_t limit) const;
    Result<void> leave_for_another(std::size_t port, GroupAddress group,
                                   const SourceFilter& sources);
    void log(std::string_view line) const;
    [[nodiscard]] const std::shared_ptr<PortPools>& pools(std::size_t port) const {
        return pools_[port];
    }

private:
    void start_on_control_thread();
    void begin_to_tell();
    /// Of that worker, on all ports.
    [[nodiscard]] std::uint64_t frames_of(const WorkerProxy& proxy) const;
    void open_ports();
    void attach_port(PortContext& port, const PortOptions& options);
    void record(const PortContext& port);
    /// Where a socket is at home on its port. Errors: invalid_argument.
    [[nodiscard]] Result<std::size_t> home_queue(const SocketOptions& options);
    [[nodiscard]] const Seat& seat_of(const Receiver::Impl& receiver) const;
    void tick();
    void handle_control_frames();
    void let_receivers_go(Instant now);
    void close_everything();
    /// Whether no socket is to be waited for any more, `waited` after closing began.
    [[nodiscard]] bool is_sent(Duration waited) const;
    [[nodiscard]] bool is_drained() const;
    void finish();
    [[nodiscard]] SocketId next_id() { return static_cast<SocketId>(next_socket_++); }
    [[nodiscard]] RootedContext rooted_context();
    Result<std::shared_ptr<SocketCore>> open_rooted(const SocketOptions& options, Ready ready);
    void adopt(const std::shared_ptr<SocketCore>& socket);
    [[nodiscard]] std::vector<std::shared_ptr<SocketCore>> timed_sockets() const;

    RuntimeOptions options_;
    RuntimePlan plan_;
    dataplane::dpdk::Eal* eal_ = nullptr;
    std::vector<std::shared_ptr<PortPools>> pools_;  // outlive everything that holds packets
    std::vector<std::unique_ptr<PortContext>> ports_;
    Relays relays_;
    std::vector<std::unique_ptr<dataplane::Worker>> workers_;
    std::vector<std::unique_ptr<WorkerProxy>> proxies_;
    std::unique_ptr<FlightRecorder> recorder_;  ///< from start() to the end; unset: there is none
    std::vector<unsigned> cpus_;                ///< of the workers, by their index
    std::vector<unsigned> lcores_;
    std::vector<std::shared_ptr<Receiver::Impl>> receivers_;
    std::unordered_map<SocketId, std::shared_ptr<SocketCore>> sockets_;
    std::unordered_map<SocketId, std::shared_ptr<SocketCore>> timed_;  ///< those that have ticks
    std::vector<std::weak_ptr<RepairHost::Impl>> repair_hosts_;
    std::uint64_t number_;  ///< names this runtime in the process
    std::uint32_t next_socket_ = 1;
    Instant receivers_looked_at_{};
    std::optional<Instant> ticked_at_;
    bool running_ = false;
    bool stopping_ = false;                              ///< nothing new is opened
    std::unique_ptr<StatusService::Registration> told_;  ///< to whoever asks by telemetry
    ControlLoop loop_;  // last in, first out: its thread uses all of the above
};

}  // namespace joinleaf::controlplane
