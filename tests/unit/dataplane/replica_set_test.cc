// Who gets a datagram while destinations come and go, and that each frame is right to the octet.
#include <dataplane/replica_set.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/frame.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tests/support/frames.h"

namespace joinleaf::dataplane {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Destination leaf_number(std::uint32_t i, net::VlanStack vlan = {}) {
    const MacAddress mac({0x02, 0, static_cast<std::uint8_t>(i >> 24),
                          static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                          static_cast<std::uint8_t>(i)});
    return {.ethernet = {test::kOwnMac, mac, vlan},
            .source = test::kOwnAddress,
            .destination = Ipv4Address(0x0a010000u + i),
            .ports = {5000, 5000},
            .ttl = 3};
}

HeaderTemplate header(std::uint32_t i) { return HeaderTemplate(leaf_number(i)); }

// Which leaf a header is for, read from its destination.
std::uint32_t leaf_of(const HeaderTemplate& header) {
    std::array<std::byte, HeaderTemplate::kHeadroom> frame;
    header.write(frame.data() + frame.size(), std::uint16_t{0});
    return net::load<net::BigEndian<std::uint32_t>>(frame.data() + frame.size() - 12) - 0x0a010000u;
}

std::vector<std::uint32_t> step(const ReplicaSet& set, ReplicaCursor& cursor, std::size_t width,
                                bool& is_done) {
    std::vector<const HeaderTemplate*> headers(width);
    const auto n = set.next(cursor, headers);
    is_done = n < width;
    std::vector<std::uint32_t> leaves;
    for (std::size_t i = 0; i < n; ++i) leaves.push_back(leaf_of(*headers[i]));
    return leaves;
}

std::vector<std::uint32_t> pass(const ReplicaSet& set, std::size_t width,
                                std::uint32_t* passed_over = nullptr) {
    std::vector<std::uint32_t> all;
    ReplicaCursor cursor;
    for (bool is_done = false; !is_done;) {
        const auto some = step(set, cursor, width, is_done);
        all.insert(all.end(), some.begin(), some.end());
    }
    if (passed_over != nullptr) *passed_over = cursor.passed_over;
    return all;
}

TEST(ReplicaSet, AnEmptySetIsDoneAtOnce) {
    EXPECT_THAT(pass(ReplicaSet(0), 1), IsEmpty());
    EXPECT_THAT(pass(ReplicaSet(10'000), 32), IsEmpty());
}

TEST(ReplicaSet, EachDestinationOnceInTheOrderOfTheSlots) {
    ReplicaSet set(200);
    for (const std::uint32_t slot : {130u, 0u, 63u, 64u, 199u}) set.put(slot, header(slot), true);
    for (const std::size_t width : {1u, 2u, 5u, 6u, 32u}) {
        EXPECT_THAT(pass(set, width), ElementsAre(0, 63, 64, 130, 199)) << width;
    }
    EXPECT_EQ(set.ready(), 5u);
}

TEST(ReplicaSet, TheUnresolvedArePassedOverAndCountedOnce) {
    ReplicaSet set(300);
    for (std::uint32_t slot = 0; slot < 300; ++slot) set.put(slot, header(slot), slot % 3 != 0);
    EXPECT_EQ(set.ready(), 200u);
    EXPECT_EQ(set.unresolved(), 100u);
    for (const std::size_t width : {1u, 7u, 32u, 200u, 201u}) {
        std::uint32_t passed_over = 0;
        EXPECT_EQ(pass(set, width, &passed_over).size(), 200u) << width;
        EXPECT_EQ(passed_over, 100u) << width;
    }
}

TEST(ReplicaSet, OneThatIsResolvedIsOneMore) {
    ReplicaSet set(10);
    set.put(4, header(4), false);
    EXPECT_THAT(pass(set, 32), IsEmpty());
    set.put(4, header(7), true);
    EXPECT_THAT(pass(set, 32), ElementsAre(7));
    EXPECT_EQ(set.unresolved(), 0u);
    set.remove(4);
    set.remove(4);
    EXPECT_EQ(set.ready(), 0u);
    EXPECT_THAT(pass(set, 32), IsEmpty());
}

// What an independent emitter makes of the same fields, for every size and VLAN.
RC_GTEST_PROP(ReplicaSet, EachReplicaIsTheFrameOfItsFields, ()) {
    const auto octets = *rc::gen::container<std::vector<std::uint8_t>>(
        *rc::gen::inRange<std::size_t>(0, 1473), rc::gen::arbitrary<std::uint8_t>());
    std::vector<std::byte> payload(octets.size());
    std::transform(octets.begin(), octets.end(), payload.begin(),
                   [](std::uint8_t o) { return std::byte{o}; });
    const net::VlanStack vlan = *rc::gen::element(net::VlanStack{}, net::VlanStack{.outer = 100},
                                                  net::VlanStack{.outer = 7, .inner = 4094});
    const bool has_checksum = *rc::gen::arbitrary<bool>();
    ReplicaSet set(128);
    const auto leaves = *rc::gen::container<std::vector<std::uint32_t>>(
        5, rc::gen::inRange<std::uint32_t>(0, 60'000));
    for (std::uint32_t i = 0; i < leaves.size(); ++i) {
        set.put(i * 31, HeaderTemplate(leaf_number(leaves[i], vlan)), true);
    }
    std::optional<net::ChecksumSum> sum;
    if (has_checksum) sum.emplace().add(payload);
    const PayloadTerms terms(static_cast<std::uint16_t>(payload.size()), sum);

    std::array<const HeaderTemplate*, 32> headers;
    ReplicaCursor cursor;
    RC_ASSERT(set.next(cursor, headers) == leaves.size());
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        const auto to = leaf_number(leaves[i], vlan);
        std::vector<std::byte> frame(HeaderTemplate::kHeadroom + payload.size());
        std::byte* const at = frame.data() + HeaderTemplate::kHeadroom;
        std::copy(payload.begin(), payload.end(), at);
        headers[i]->write(at, terms);
        frame.erase(frame.begin(),
                    frame.begin() + static_cast<std::ptrdiff_t>(HeaderTemplate::kHeadroom -
                                                                headers[i]->size()));

        std::vector<std::byte> expected(2048);
        const net::Ipv4Fields ip{.source = to.source, .destination = to.destination, .ttl = to.ttl};
        static_cast<void>(
            net::build_udp_frame(to.ethernet, ip, to.ports, payload, expected).value());
        expected.resize(frame.size());
        if (!has_checksum) {
            expected[headers[i]->size() - 2] = expected[headers[i]->size() - 1] = std::byte{0};
        }
        RC_ASSERT(test::hex_of(frame) == test::hex_of(expected));
    }
}

// A datagram on its way in steps of any width, with any changes between them. Who was ready all the
// while has it once; who came, went or changed meanwhile at most once; who was unresolved all the
// while is counted once; and nobody else has it.
RC_GTEST_PROP(ReplicaSet, ExactlyOnceWhateverComesAndGoes, ()) {
    constexpr std::uint32_t kCapacity = 200;
    enum class Is : std::uint8_t { absent, ready, unresolved };
    ReplicaSet set(kCapacity);
    std::map<std::uint32_t, Is> model;
    const auto change = [&](std::uint32_t slot, Is to) {
        if (to == Is::absent) {
            set.remove(slot);
        } else {
            set.put(slot, header(slot), to == Is::ready);
        }
        model[slot] = to;
    };
    const auto any_slot = rc::gen::inRange<std::uint32_t>(0, kCapacity);
    const auto any_state = rc::gen::element(Is::absent, Is::ready, Is::unresolved);
    for (const auto& [slot, to] : *rc::gen::container<std::vector<std::pair<std::uint32_t, Is>>>(
             rc::gen::pair(any_slot, any_state))) {
        change(slot, to);
    }
    const auto before = model;
    std::map<std::uint32_t, bool> changed;
    std::map<std::uint32_t, int> got;
    ReplicaCursor cursor;
    for (bool is_done = false; !is_done;) {
        const auto width = *rc::gen::inRange<std::size_t>(1, 40);
        for (const auto leaf : step(set, cursor, width, is_done)) {
            ++got[leaf];
            RC_ASSERT(model[leaf] == Is::ready);
        }
        const auto changes = *rc::gen::inRange(0, 6);
        for (int i = 0; i < changes; ++i) {
            const auto slot = *any_slot;
            const auto to = *any_state;
            changed[slot] = changed[slot] || model[slot] != to;
            change(slot, to);
        }
    }
    std::size_t unresolved = 0;
    for (std::uint32_t slot = 0; slot < kCapacity; ++slot) {
        const auto found = before.find(slot);
        const Is was = found == before.end() ? Is::absent : found->second;
        RC_ASSERT(got[slot] <= 1);
        if (changed[slot]) continue;
        RC_ASSERT(got[slot] == (was == Is::ready ? 1 : 0));
        unresolved += was == Is::unresolved;
    }
    const auto touched = static_cast<std::size_t>(
        std::count_if(changed.begin(), changed.end(), [](const auto& c) { return c.second; }));
    RC_ASSERT(cursor.passed_over >= unresolved);
    RC_ASSERT(cursor.passed_over <= unresolved + touched);
    const auto count = [&](Is what) {
        return static_cast<std::size_t>(std::count_if(
            model.begin(), model.end(), [&](const auto& m) { return m.second == what; }));
    };
    RC_ASSERT(set.ready() == count(Is::ready));
    RC_ASSERT(set.unresolved() == count(Is::unresolved));
}

}  // namespace
}  // namespace joinleaf::dataplane
