// The snooping switch at work.
#include <apps/joinleaf/demo/switch_thread.h>
#include <apps/joinleaf/idle.h>

#include <algorithm>
#include <array>

namespace joinleaf::app {

using namespace std::chrono_literals;
namespace dpdk = dataplane::dpdk;

SwitchThread::SwitchThread(std::span<const std::string_view> wires) : switch_(wires.size()) {
    for (const auto wire : wires) {
        ports_.emplace_back(dpdk::WireEnd::attach(wire)).waiting.reserve(dpdk::kBurst);
    }
    thread_ = std::thread([this] { run(); });
}

SwitchThread::~SwitchThread() {
    stopping_ = true;
    thread_.join();
    for (auto& port : ports_) dpdk::free_all(port.waiting);
}

void SwitchThread::run() {
    constexpr int kYields = 2000;  // about a millisecond: a sleep would show in the latency
    Idle idle(50us, kYields);
    while (!stopping_) {
        bool all_through = true;
        for (auto& port : ports_) all_through = flush(port) && all_through;
        bool moved = false;
        for (std::size_t from = 0; all_through && from < ports_.size(); ++from) {
            moved = forward_burst(from) || moved;
            for (auto& port : ports_) all_through = flush(port) && all_through;
        }
        if (moved) {
            idle.reset();
        } else {
            idle.wait();
        }
    }
}

/// Returns whether nothing waits any more.
bool SwitchThread::flush(Port& port) {
    if (port.waiting.empty()) return true;
    const std::size_t taken = port.end.transmit(port.waiting);
    port.forwarded.fetch_add(taken, std::memory_order_relaxed);
    port.waiting.erase(port.waiting.begin(),
                       port.waiting.begin() + static_cast<std::ptrdiff_t>(taken));
    return port.waiting.empty();
}

bool SwitchThread::forward_burst(std::size_t from) {
    std::array<Packet*, dpdk::kBurst> burst;
    const std::size_t n = ports_[from].end.receive(burst);
    for (const auto packet : std::span(burst).first(n)) forward(from, packet);
    return n != 0;
}

void SwitchThread::forward(std::size_t from, Packet* packet) {
    auto forwarding = switch_.receive(from, dpdk::first_segment(packet));
    if (forwarding.report) {
        const auto frame = dpdk::first_segment(packet);
        const std::lock_guard lock(mutex_);
        seen_.push_back({.port = from,
                         .at = Instant::clock::now(),
                         .report = *std::move(forwarding.report),
                         .frame = {frame.begin(), frame.end()}});
    }
    for (std::size_t to = 0; to < ports_.size(); ++to) {
        if ((forwarding.to >> to & 1) == 0) continue;
        dpdk::add_reference(packet);
        ports_[to].waiting.push_back(packet);
    }
    dpdk::free(packet);
}

std::optional<SeenReport> SwitchThread::report_from(std::size_t port, std::size_t skip,
                                                    std::chrono::milliseconds patience) const {
    const Instant deadline = Instant::clock::now() + patience;
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            std::size_t before = 0;
            for (const auto& seen : seen_) {
                if (seen.port == port && before++ == skip) return seen;
            }
        }
        if (Instant::clock::now() >= deadline) return {};
        std::this_thread::sleep_for(200us);
    }
}

std::size_t SwitchThread::reports_from(std::size_t port) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::ranges::count(seen_, port, [](const SeenReport& seen) { return seen.port; }));
}

}  // namespace joinleaf::app
