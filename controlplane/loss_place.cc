#include <controlplane/loss_place.h>

#include <array>

namespace joinleaf::controlplane {
namespace {

/// Reasons that are a loss at a place; the others are frames that were not for us.
struct LossReason {
    DropReason reason;
    LossPlace place;
};
constexpr auto kLossReasons = std::to_array<LossReason>({
    {DropReason::truncated_frame, LossPlace::wire},
    {DropReason::bad_ipv4_header, LossPlace::wire},
    {DropReason::bad_ipv4_checksum, LossPlace::wire},
    {DropReason::bad_udp_length, LossPlace::wire},
    {DropReason::bad_udp_checksum, LossPlace::wire},
    {DropReason::relay_queue_full, LossPlace::worker_queue},
    {DropReason::control_queue_full, LossPlace::worker_queue},
    {DropReason::receive_queue_full, LossPlace::application_queue},
    {DropReason::source_filtered, LossPlace::source_filter},
    {DropReason::transmit_ring_full, LossPlace::transmit},
    {DropReason::no_buffer, LossPlace::transmit},
    {DropReason::link_down, LossPlace::transmit},
    {DropReason::oversized, LossPlace::transmit},
    {DropReason::unresolved_neighbour, LossPlace::transmit},
    {DropReason::sender_closed, LossPlace::transmit},
    {DropReason::no_leaf, LossPlace::transmit},
    {DropReason::line_queue_full, LossPlace::transmit},
});

constexpr std::array<std::string_view, kLossPlaceCount> kPlaceNames{
    "wire", "nic", "no_mbuf", "worker_queue", "application_queue", "source_filter", "transmit"};

}  // namespace

std::string_view name(LossPlace place) noexcept {
    const auto index = static_cast<std::size_t>(place);
    return index < kPlaceNames.size() ? kPlaceNames[index] : std::string_view("unknown");
}

std::uint64_t lost(const PortCounters& counters, LossPlace place) noexcept {
    std::uint64_t frames = 0;
    if (place == LossPlace::wire) frames = counters.errors;
    if (place == LossPlace::nic) frames = counters.missed;
    if (place == LossPlace::no_mbuf) frames = counters.no_mbuf;
    for (const auto& loss : kLossReasons) {
        if (loss.place == place) frames += counters.drops[static_cast<std::size_t>(loss.reason)];
    }
    return frames;
}

}  // namespace joinleaf::controlplane
