// Whom a repair request comes from.
#include <controlplane/leaf_directory.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace joinleaf::controlplane {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Ipv4Address kManaged(192, 0, 2, 7);
constexpr Ipv4Address kData(10, 0, 0, 7);

TEST(LeafDirectory, ALeafIsFoundByItsConnectionsAddressAndByItsDataAddress) {
    LeafDirectory leaves;
    leaves.came(LeafId{1}, kManaged, kData);
    EXPECT_THAT(leaves.at(kManaged, 8), ElementsAre(LeafId{1}));
    EXPECT_THAT(leaves.at(kData, 8), ElementsAre(LeafId{1}));
    EXPECT_THAT(leaves.at(Ipv4Address(10, 0, 0, 8), 8), IsEmpty());
    leaves.went(LeafId{1});
    EXPECT_THAT(leaves.at(kManaged, 8), IsEmpty());
    EXPECT_THAT(leaves.at(kData, 8), IsEmpty());
}

// What is one leaf's data address may be how another is managed.
TEST(LeafDirectory, TheConnectionsAddressIsTheFirstToGoBy) {
    LeafDirectory leaves;
    leaves.came(LeafId{1}, kManaged, kData);
    leaves.came(LeafId{2}, kData, kManaged);
    EXPECT_THAT(leaves.at(kData, 8), ElementsAre(LeafId{2}));
    leaves.went(LeafId{2});
    EXPECT_THAT(leaves.at(kData, 8), ElementsAre(LeafId{1}));
}

TEST(LeafDirectory, LeavesThatShareAnAddressAreFoundInTheirOrderUpToALimit) {
    LeafDirectory leaves;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        leaves.came(LeafId{i}, kManaged, Ipv4Address(0x0a000000u + static_cast<unsigned>(i)));
    }
    EXPECT_THAT(leaves.at(kManaged, 3), ElementsAre(LeafId{1}, LeafId{2}, LeafId{3}));
    leaves.went(LeafId{2});
    EXPECT_THAT(leaves.at(kManaged, 3), ElementsAre(LeafId{1}, LeafId{3}, LeafId{4}));
    leaves.went(LeafId{2});
    EXPECT_THAT(leaves.at(kManaged, 8), ElementsAre(LeafId{1}, LeafId{3}, LeafId{4}, LeafId{5}));
}

}  // namespace
}  // namespace joinleaf::controlplane
