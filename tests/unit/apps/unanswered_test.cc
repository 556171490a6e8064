// When a leaf's user is told that nobody answers.
#include <apps/joinleaf/unanswered.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace joinleaf::app {
namespace {

using testing::HasSubstr;

TEST(Unanswered, ManyRequestsInARowAreToldOnce) {
    Unanswered unanswered;
    EXPECT_FALSE(unanswered.look({.requests = 19}, "10.1.0.1:6000"));
    const auto said = unanswered.look({.requests = 25}, "10.1.0.1:6000");
    ASSERT_TRUE(said);
    EXPECT_THAT(*said, HasSubstr("25 requests to 10.1.0.1:6000 have not been answered; see"));
    EXPECT_FALSE(unanswered.look({.requests = 1000}, "10.1.0.1:6000"));
}

TEST(Unanswered, ThoseSinceTheLastAnswerCount) {
    Unanswered unanswered;
    EXPECT_FALSE(unanswered.look({.requests = 100, .answers = 90}, "10.1.0.1:6000"));
    EXPECT_FALSE(unanswered.look({.requests = 119, .answers = 90}, "10.1.0.1:6000"));
    EXPECT_FALSE(unanswered.look({.requests = 200, .answers = 91}, "10.1.0.1:6000"));
    EXPECT_TRUE(unanswered.look({.requests = 220, .answers = 91}, "10.1.0.1:6000"));
}

}  // namespace
}  // namespace joinleaf::app
