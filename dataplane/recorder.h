// A lane's flight recorder: what it received, sent and dropped last, for whoever asks afterwards.
#pragma once

#include <dataplane/dpdk/packet.h>
#include <dataplane/recording.h>

#include <atomic>
#include <cstdint>
#include <span>

namespace joinleaf::dataplane {

/// The worker writes into one recording, which is lent to it. When it is to be read the control
/// thread gives it another one in its place and gets the first back, so that neither waits for the
/// other and nothing is read while it is written.
class Recorder {
public:
    /// Before the worker runs. Without it nothing is recorded.
    void start(Recording& recording) noexcept { recording_ = &recording; }

    // The worker.
    [[nodiscard]] bool is_on() const noexcept { return recording_ != nullptr; }

    /// When it is on: a burst that has been received. It stays where it is until end_of_burst().
    void received(std::span<dpdk::Packet* const> burst, Instant now) noexcept;
    void end_of_burst() noexcept;
    /// A packet is dropped: told of one of the burst, and recorded if it is none of those. Does
    /// nothing when it is off.
    void dropped(const dpdk::Packet* packet, DropReason why, Way way, Instant now) noexcept {
        if (is_on()) [[unlikely]]
            record_drop(packet, why, way, now);
    }
    /// When it is on: frames that the port is about to be given (once it has them they may be
    /// gone), at most Recording::kMostTakenBack; and then how many of them it took, and when.
    void offered(std::span<dpdk::Packet* const> frames, Instant now) noexcept;
    void taken(std::size_t offered, std::size_t taken, Instant at) noexcept;

    /// By command: goes on in `fresh` when `after` more packets have been recorded. The control
    /// thread has `fresh` lent until it is itself replaced, and must have taken what was frozen
    /// before. The same `fresh` once more only says anew after how many.
    void replace(Recording& fresh, std::size_t after) noexcept;

    // The control thread.
    /// What was replaced, once; it is the caller's again. Null: the worker still writes into it.
    [[nodiscard]] Recording* take_frozen() noexcept {
        return frozen_.exchange(nullptr, std::memory_order_acquire);
    }

private:
    void record(const dpdk::Packet* packet, Way way, Instant now) noexcept;
    void record_drop(const dpdk::Packet* packet, DropReason why, Way way, Instant now) noexcept;
    // Only where no burst is under way: what was recorded of that is still marked.
    void freeze_if_due() noexcept {
        if (fresh_ != nullptr && recording_->end() >= freeze_at_) freeze();
    }
    void freeze() noexcept;

    Recording* recording_ = nullptr;
    Recording* fresh_ = nullptr;
    std::uint64_t freeze_at_ = 0;
    std::span<dpdk::Packet* const> burst_;
    std::uint64_t burst_begin_ = 0;  ///< its first packet's position
    std::size_t expected_ = 0;       ///< which of the burst is likely to be dropped next
    std::atomic<Recording*> frozen_{nullptr};
};

}  // namespace joinleaf::dataplane
