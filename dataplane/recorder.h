// A lane's flight recorder: what it received, sent and dropped last, for whoever asks afterwards.
#pragma once

#include <dataplane/dpdk/packet.h>
#include <dataplane/lent_recording.h>

#include <cstdint>
#include <span>

namespace joinleaf::dataplane {

/// The worker's, but for what LentRecording says.
class Recorder {
public:
    [[nodiscard]] bool is_on() const noexcept { return static_cast<bool>(recording_); }

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

    [[nodiscard]] LentRecording& recording() noexcept { return recording_; }

private:
    void record(const dpdk::Packet* packet, Way way, Instant now) noexcept;
    void record_drop(const dpdk::Packet* packet, DropReason why, Way way, Instant now) noexcept;

    LentRecording recording_;
    std::span<dpdk::Packet* const> burst_;
    std::uint64_t burst_begin_ = 0;  ///< its first packet's position
    std::size_t expected_ = 0;       ///< which of the burst is likely to be dropped next
};

}  // namespace joinleaf::dataplane
