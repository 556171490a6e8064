// Memory of the packet path: pools of buffers, in the EAL's memory and in their own, and where
// subscriptions lie.
#include <dataplane/dpdk/mempool.h>
#include <dataplane/dpdk/own_memory.h>
#include <dataplane/subscription.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_eal.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <system_error>
#include <vector>

namespace joinleaf::dataplane::dpdk {
namespace {

using testing::HasSubstr;

constexpr unsigned kBuffers = 8191;
constexpr std::uint16_t kRoom = 2048;

// Every buffer can be had, is another one, and holds what is written; then none is left.
void use_up(Mempool& pool) {
    ASSERT_EQ(pool.size(), kBuffers);
    std::vector<Packet*> packets(kBuffers);
    ASSERT_TRUE(pool.allocate(packets));
    EXPECT_EQ(pool.in_use(), kBuffers);
    Packet* one_more = nullptr;
    EXPECT_FALSE(pool.allocate({&one_more, 1}));
    EXPECT_EQ(std::set<Packet*>(packets.begin(), packets.end()).size(), kBuffers);
    for (std::size_t i = 0; i < packets.size(); ++i) {
        std::memset(rte_pktmbuf_mtod(packets[i], char*), static_cast<int>(i % 251), kRoom);
    }
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const char* const data = rte_pktmbuf_mtod(packets[i], char*);
        ASSERT_EQ(static_cast<unsigned char>(data[0]), i % 251);
        ASSERT_EQ(static_cast<unsigned char>(data[kRoom - 1]), i % 251);
    }
    rte_pktmbuf_free_bulk(packets.data(), kBuffers);
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST(Mempool, HoldsWhatItSaysInEitherMemory) {
    for (const auto memory : {BufferMemory::own, BufferMemory::environment}) {
        Mempool pool("either", kBuffers, kRoom, memory);
        use_up(pool);
        EXPECT_GT(pool.octets(), std::uint64_t{kBuffers} * kRoom);
        EXPECT_LT(pool.octets(), std::uint64_t{kBuffers} * (kRoom + 512));
    }
}

// Transparent huge pages show whether memory of its own is there, where the kernel has any.
TEST(Mempool, MemoryOfItsOwnComesAndGoesWithIt) {
    if (rte_eal_has_hugepages() != 0) GTEST_SKIP() << "hugepages are reserved, and are used";
    const auto before = octets_in_transparent_pages();
    std::uint64_t with = 0;
    for (int round = 0; round < 20; ++round) {
        Mempool pool("own", kBuffers, kRoom, BufferMemory::own);
        with = octets_in_transparent_pages();
        use_up(pool);
    }
    EXPECT_EQ(octets_in_transparent_pages(), before);
    if (with == before) GTEST_SKIP() << "this kernel gives no transparent huge pages";
    EXPECT_GE(with - before, std::uint64_t{kBuffers} * kRoom);
}

TEST(Mempool, WhatTheMachineDoesNotHaveIsRefusedAndNotTried) {
    for (const auto memory : {BufferMemory::own, BufferMemory::environment}) {
        try {
            const Mempool pool("large", 4'000'000, 65000, memory);
            ADD_FAILURE() << "this machine has 280 GB to spare";
        } catch (const std::system_error& error) {
            EXPECT_THAT(error.what(), HasSubstr("no memory for 4000000 packet buffers"));
        }
    }
}

TEST(Subscriptions, LieTogetherAndAreUsedAgain) {
    constexpr std::size_t kMany = 10'000;
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    std::vector<std::shared_ptr<Subscription>> all;
    std::set<Subscription*> places;
    std::set<std::uintptr_t> huge_pages;
    const auto make_all = [&] {
        all.clear();
        for (std::size_t i = 0; i < kMany; ++i) {
            all.push_back(make_subscription());
            EXPECT_EQ(all.back()->delivered, 0u);
            all.back()->delivered = 1;
            const auto address = reinterpret_cast<std::uintptr_t>(all.back().get());
            EXPECT_EQ(address % alignof(Subscription), 0u);
            huge_pages.insert(address / kHugePage);
            places.insert(all.back().get());
        }
    };
    make_all();
    EXPECT_LE(huge_pages.size(), 4 * kMany * sizeof(Subscription) / kHugePage);
    for (int round = 0; round < 20; ++round) make_all();
    EXPECT_LT(places.size(), 2 * kMany);
}

}  // namespace
}  // namespace joinleaf::dataplane::dpdk
