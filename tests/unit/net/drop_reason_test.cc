// Every drop reason can be shown to a person and to a program.
#include <gtest/gtest.h>
#include <joinleaf/drop_reason.h>

#include <algorithm>
#include <set>

namespace joinleaf {
namespace {

TEST(DropReason, EachHasItsOwnSnakeCaseNameAndALineOfExplanation) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kDropReasonCount; ++i) {
        const auto reason = static_cast<DropReason>(i);
        const auto text = name(reason);
        EXPECT_FALSE(text.empty());
        EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        })) << text;
        EXPECT_TRUE(names.insert(text).second) << text;
        EXPECT_FALSE(explanation(reason).empty()) << text;
        EXPECT_EQ(explanation(reason).find('\n'), std::string_view::npos) << text;
    }
    EXPECT_EQ(name(DropReason::receive_queue_full), "receive_queue_full");
}

TEST(DropReason, AValueOutsideTheEnumerationIsUnknown) {
    EXPECT_EQ(name(DropReason::kCount), "unknown");
    EXPECT_EQ(explanation(DropReason::kCount), "");
}

}  // namespace
}  // namespace joinleaf
