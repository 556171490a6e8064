// A data-plane worker: one lcore that polls its lanes, one turn after another.
#pragma once

#include <dataplane/command.h>
#include <dataplane/lane.h>
#include <dataplane/relay.h>
#include <dataplane/spsc_queue.h>
#include <dataplane/tsc_clock.h>

#include <joinleaf/clock.h>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace joinleaf::dataplane {

struct WorkerOptions {
    /// How long to sleep after many turns in which nothing moved; zero: never, poll on.
    Duration idle_sleep{};
};

/// Built and fed by the control thread; run() and turn() belong to the worker's own thread.
class Worker {
public:
    explicit Worker(const WorkerOptions& options);
    /// Frees what is still in its queues.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Before run(). The lane's port and pool must outlive the worker.
    LaneIndex add_lane(std::unique_ptr<Lane> lane);

    /// Before run(). Datagrams that another worker passes on to this one; `queue` must outlive
    /// run().
    void take_from(RelayQueue& queue) { relayed_.push_back(&queue); }

    /// Turns until stop() is called, from any thread.
    void run() noexcept;
    void stop() noexcept { stopping_.store(true, std::memory_order_relaxed); }

    /// One turn, in packet order. Never blocks, allocates, logs or throws. Returns whether
    /// anything moved.
    bool turn(Instant now) noexcept;

    /// At most this many commands may be without acknowledgement at any time.
    static constexpr std::size_t kCommandSlots = 1024;
    static constexpr std::size_t kControlFrameSlots = 1024;
    static constexpr std::size_t kMaxReceiveQueues = 4096;

    // The control thread's ends of the queues.
    [[nodiscard]] SpscQueue<Command>& commands() noexcept { return commands_; }
    [[nodiscard]] SpscQueue<Acknowledgement>& acknowledgements() noexcept {
        return acknowledgements_;
    }
    [[nodiscard]] SpscQueue<ControlFrame>& control_frames() noexcept { return control_frames_; }

    [[nodiscard]] Lane& lane(LaneIndex index) noexcept { return *lanes_[index]; }
    [[nodiscard]] const Lane& lane(LaneIndex index) const noexcept { return *lanes_[index]; }
    [[nodiscard]] std::uint64_t turns() const noexcept {
        return turns_published_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t busy_turns() const noexcept {
        return busy_published_.load(std::memory_order_relaxed);
    }
    /// Time spent in turns that moved something, and in all, since run() began.
    [[nodiscard]] Duration busy_time() const noexcept {
        return Duration(busy_time_published_.load(std::memory_order_relaxed));
    }
    [[nodiscard]] Duration run_time() const noexcept {
        return Duration(run_time_published_.load(std::memory_order_relaxed));
    }

private:
    std::uint32_t send(Lane& lane, Instant now) noexcept;
    void apply_commands(Instant now) noexcept;
    void apply(const Command& command, Instant now) noexcept;
    void acknowledge(std::uint64_t token, Instant now, bool done) noexcept;
    void publish_counters(Instant now, bool moved) noexcept;

    WorkerOptions options_;
    TscClock clock_;
    std::vector<std::unique_ptr<Lane>> lanes_;
    std::vector<RelayQueue*> relayed_;
    std::vector<ReceiveQueue*> receive_queues_;
    SpscQueue<Command> commands_{kCommandSlots};
    SpscQueue<Acknowledgement> acknowledgements_{kCommandSlots};
    SpscQueue<ControlFrame> control_frames_{kControlFrameSlots};
    std::uint64_t turns_ = 0;
    std::uint64_t busy_turns_ = 0;
    Instant published_at_{};
    bool moved_since_published_ = false;
    std::atomic<std::uint64_t> turns_published_{0};
    std::atomic<std::uint64_t> busy_published_{0};
    Duration busy_time_{};
    Duration run_time_{};
    std::atomic<Duration::rep> busy_time_published_{0};
    std::atomic<Duration::rep> run_time_published_{0};
    std::atomic<bool> stopping_{false};
};

}  // namespace joinleaf::dataplane
