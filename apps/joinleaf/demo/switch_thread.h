// The snooping switch at work: a thread that moves frames between the far ends of ring ports.
#pragma once

#include <apps/joinleaf/demo/snooping_switch.h>
#include <dataplane/dpdk/wire.h>
#include <joinleaf/clock.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

namespace joinleaf::app {

/// A report as the switch read it off a wire.
struct SeenReport {
    std::size_t port = 0;
    Instant at{};
    igmp::Report report;
    std::vector<std::byte> frame;
};

/// Forwards without loss: while a port is full the switch keeps the frames for it and reads no
/// more, so that the sender feels it. Frames are passed on by reference, never copied.
class SwitchThread {
public:
    /// Takes the far end of each wire; `wires[i]` is port i. Errors: throws std::system_error.
    explicit SwitchThread(std::span<const std::string_view> wires);
    SwitchThread(const SwitchThread&) = delete;
    SwitchThread& operator=(const SwitchThread&) = delete;
    ~SwitchThread();

    /// Any thread. The first report from `port` after the `skip` first ones, waiting for it up to
    /// `patience`.
    [[nodiscard]] std::optional<SeenReport> report_from(std::size_t port, std::size_t skip,
                                                        std::chrono::milliseconds patience) const;
    [[nodiscard]] std::size_t reports_from(std::size_t port) const;
    /// Any thread. Frames that were handed to the host at `port`.
    [[nodiscard]] std::uint64_t forwarded_to(std::size_t port) const noexcept {
        return ports_[port].forwarded.load(std::memory_order_relaxed);
    }

private:
    using Packet = dataplane::dpdk::Packet;

    struct Port {
        explicit Port(dataplane::dpdk::WireEnd wire) : end(std::move(wire)) {}
        dataplane::dpdk::WireEnd end;
        std::vector<Packet*> waiting;
        std::atomic<std::uint64_t> forwarded{0};
    };

    void run();
    bool flush(Port& port);
    bool forward_burst(std::size_t from);
    void forward(std::size_t from, Packet* packet);

    SnoopingSwitch switch_;
    std::deque<Port> ports_;
    mutable std::mutex mutex_;
    std::vector<SeenReport> seen_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace joinleaf::app
