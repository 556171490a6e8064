// Memory in huge pages.
#include <dataplane/huge_pages.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>

namespace joinleaf::dataplane {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t mapped_octets() {
    std::ifstream file("/proc/self/statm");
    std::size_t pages = 0;
    file >> pages;
    return pages * 4096;
}

bool is_zero(const std::byte* memory, std::size_t octets) {
    return octets == 0 ||
           (memory[0] == std::byte{0} && std::memcmp(memory, memory + 1, octets - 1) == 0);
}

TEST(HugePages, AreZeroAndBeginWhereAHugePageDoesWhereThereIsRoomForOne) {
    for (const std::size_t octets : {std::size_t{1}, std::size_t{4097}, kHugePage - 1, kHugePage,
                                     kHugePage + 1, 5 * kHugePage}) {
        auto* const memory = static_cast<std::byte*>(map_huge(octets));
        ASSERT_NE(memory, nullptr) << octets;
        EXPECT_TRUE(is_zero(memory, octets)) << octets;
        std::memset(memory, 1, octets);
        if (octets >= kHugePage) {
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % kHugePage, 0u) << octets;
        }
        unmap_huge(memory, octets);
    }
}

TEST(HugePages, GoBackWhole) {
    const auto before = mapped_octets();
    for (int round = 0; round < 100; ++round) {
        for (const std::size_t octets : {kHugePage - 1, kHugePage, 3 * kHugePage + 5}) {
            unmap_huge(map_huge(octets), octets);
        }
    }
    EXPECT_LT(mapped_octets(), before + kHugePage);
}

TEST(HugePages, ThatCannotBeHadAreNone) {
    EXPECT_EQ(map_huge(std::size_t{1} << 60), nullptr);
    HugePages pages;
    EXPECT_THROW(static_cast<void>(pages.allocate(std::size_t{1} << 60)), std::bad_alloc);
}

}  // namespace
}  // namespace joinleaf::dataplane
