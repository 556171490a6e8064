// Frames and keys for measuring the pure steps of the packet path, as a leaf with many groups meets
// them.
#pragma once

#include <dataplane/classify.h>
#include <dataplane/group_table.h>
#include <dataplane/header_template.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <span>
#include <vector>

namespace joinleaf::bench {

inline constexpr std::size_t kMaxBurst = 32;
inline constexpr MacAddress kOwnMac({0x02, 0, 0, 0, 0, 0x01});
inline constexpr MacAddress kPeerMac({0x02, 0, 0, 0, 0, 0x02});
inline constexpr Ipv4Address kOwn(10, 0, 0, 1);
inline constexpr Ipv4Address kPeer(10, 0, 0, 2);
inline constexpr std::uint16_t kPort = 5000;

[[nodiscard]] inline GroupAddress group(std::uint32_t number) {
    return GroupAddress::from(Ipv4Address(0xef000000 + number)).value();
}

// Any group of the first `groups`.
[[nodiscard]] inline std::uint32_t any_of(std::uint32_t groups, std::mt19937& random) {
    return static_cast<std::uint32_t>(random() % groups);
}

[[nodiscard]] inline dataplane::HeaderTemplate header_to(std::uint32_t number,
                                                         net::VlanStack vlan = {}) {
    return dataplane::HeaderTemplate(
        {.ethernet = {kPeerMac, MacAddress::of_group(group(number)), vlan},
         .source = kPeer,
         .destination = group(number).address(),
         .ports = {4000, kPort}});
}

// Packet buffers as a pool hands them out: 2 KiB apart, in no order, more than a first-level cache
// holds, each with a valid frame to one of `groups` groups.
class Buffers {
public:
    static constexpr std::size_t kCount = 1024;
    static constexpr std::size_t kSize = 2176;  // a mbuf's 128 octets, headroom 128, data room 1920
    static constexpr std::size_t kPayload = 256;

    Buffers(std::size_t payload_length, std::uint32_t groups, net::VlanStack vlan = {},
            bool udp_checksum = true)
        : memory_(std::make_unique<std::byte[]>(kCount * kSize)) {
        std::mt19937 random(1);
        for (std::size_t i = 0; i < kCount; ++i) {
            const dataplane::HeaderTemplate header = header_to(any_of(groups, random), vlan);
            std::byte* const payload = &memory_[i * kSize + kPayload];
            const auto length = static_cast<std::uint16_t>(payload_length);
            if (udp_checksum) {
                header.write_summed(payload, length);
            } else {
                header.write(payload, length);
            }
            const std::span frame(payload - header.size(), header.size() + length);
            frames_.push_back(
                {.first_segment = frame, .length = static_cast<std::uint32_t>(frame.size())});
        }
        std::shuffle(frames_.begin(), frames_.end(), random);
    }

    // The next burst, a power of two, round and round.
    [[nodiscard]] std::span<const dataplane::ReceivedFrame> next(std::size_t burst = kMaxBurst) {
        at_ = (at_ + burst) % kCount;
        return std::span(frames_).subspan(at_, burst);
    }
    std::vector<dataplane::ReceivedFrame>& frames() { return frames_; }

private:
    std::unique_ptr<std::byte[]> memory_;
    std::vector<dataplane::ReceivedFrame> frames_;
    std::size_t at_ = 0;
};

// The table and keys of groups that are all joined, asked for in no order.
struct Lookups {
    explicit Lookups(std::uint32_t groups) : table(groups), keys(1 << 17) {
        for (std::uint32_t i = 0; i < groups; ++i) {
            // Only found, never looked behind.
            auto* const value = reinterpret_cast<dataplane::Subscription*>(std::uintptr_t{i} + 1);
            if (!table.insert({group(i).address(), kPort}, value)) std::abort();
        }
        std::mt19937 random(2);
        for (auto& key : keys) key = {group(any_of(groups, random)).address(), kPort};
    }
    // A power of two at a time, round and round.
    [[nodiscard]] std::span<const dataplane::GroupKey> next(std::size_t burst = kMaxBurst) {
        at = (at + burst) % keys.size();
        return std::span(keys).subspan(at, burst);
    }
    // As receive() does: all are asked for before the first is looked up.
    void find_burst(std::span<const dataplane::GroupKey> wanted) {
        std::array<std::uint32_t, kMaxBurst> hashes;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            hashes[i] = dataplane::GroupTable::hash(wanted[i]);
            table.prefetch(hashes[i]);
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            found[i] = table.find(wanted[i], hashes[i]);
        }
    }
    dataplane::GroupTable table;
    std::vector<dataplane::GroupKey> keys;
    std::array<dataplane::Subscription*, kMaxBurst> found;
    std::size_t at = 0;
};

}  // namespace joinleaf::bench
