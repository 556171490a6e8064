#include <dataplane/dpdk/burst.h>
#include <dataplane/recorder.h>
#include <net/ethernet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace joinleaf::dataplane {
namespace {

// A tag that the NIC has taken off is put back, so that the frame is as it was on the wire.
constexpr std::size_t kTagSize = 4;
constexpr std::size_t kBeforeTag = 12;

std::array<std::byte, kTagSize> tag_with(std::uint16_t control) noexcept {
    std::array<std::byte, kTagSize> tag;
    net::store(tag.data(), net::BigEndian<std::uint16_t>(net::ethertype::kVlan));
    net::store(tag.data() + 2, net::BigEndian<std::uint16_t>(control));
    return tag;
}

void copy_with_tag(const dpdk::Packet* packet, std::uint16_t control,
                   std::span<std::byte> to) noexcept {
    const auto addresses = to.first(std::min(to.size(), kBeforeTag));
    static_cast<void>(dpdk::copy_out(packet, 0, addresses));
    to = to.subspan(addresses.size());
    const auto tag = tag_with(control);
    const auto fits = std::min(to.size(), tag.size());
    std::copy_n(tag.begin(), fits, to.begin());
    static_cast<void>(dpdk::copy_out(packet, kBeforeTag, to.subspan(fits)));
}

}  // namespace

void Recorder::record(const dpdk::Packet* packet, Way way, Instant now) noexcept {
    const ReceivedFrame frame = dpdk::received_frame(packet);
    if (way == Way::in && frame.vlan_stripped) [[unlikely]] {
        const auto length = frame.length + static_cast<std::uint32_t>(kTagSize);
        return copy_with_tag(packet, frame.vlan_tci, recording_->append(now, way, length));
    }
    const auto place = recording_->append(now, way, frame.length);
    if (frame.first_segment.size() >= place.size()) [[likely]] {
        std::memcpy(place.data(), frame.first_segment.data(), place.size());
    } else {
        static_cast<void>(dpdk::copy_out(packet, 0, place));
    }
}

void Recorder::received(std::span<dpdk::Packet* const> burst, Instant now) noexcept {
    burst_ = burst;
    burst_begin_ = recording_->end();
    expected_ = 0;
    for (const dpdk::Packet* packet : burst) record(packet, Way::in, now);
}

void Recorder::end_of_burst() noexcept {
    burst_ = {};
    recording_.give_back_if_due();
}

// Drops come in the order of the burst, so that the next one is mostly found at once.
void Recorder::record_drop(const dpdk::Packet* packet, DropReason why, Way way,
                           Instant now) noexcept {
    for (std::size_t i = 0; i < burst_.size(); ++i) {
        const std::size_t place = expected_;
        if (++expected_ == burst_.size()) expected_ = 0;
        if (burst_[place] != packet) continue;
        recording_->set_reason(burst_begin_ + place, why);
        return;
    }
    record(packet, way, now);
    recording_->set_reason(recording_->end() - 1, why);
}

void Recorder::offered(std::span<dpdk::Packet* const> frames, Instant now) noexcept {
    for (const dpdk::Packet* frame : frames) record(frame, Way::out, now);
}

void Recorder::taken(std::size_t offered, std::size_t taken, Instant at) noexcept {
    recording_->take_back(offered - taken);
    // Data has the time of its turn, which it was offered with.
    if (taken > 0 && (*recording_)[recording_->end() - 1].what.at != at) {
        for (std::size_t i = 1; i <= taken; ++i) recording_->set_time(recording_->end() - i, at);
    }
    recording_.give_back_if_due();
}

}  // namespace joinleaf::dataplane
