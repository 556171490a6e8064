// The ring of the last packets.
#include <dataplane/recording.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Instant kBegin{1h};

void append(Recording& recording, std::string_view octets, Instant at = kBegin, Way way = Way::in) {
    const auto place = recording.append(at, way, static_cast<std::uint32_t>(octets.size()));
    std::memcpy(place.data(), octets.data(), place.size());
}

std::vector<std::string> all(const Recording& recording) {
    std::vector<std::string> texts;
    for (auto position = recording.begin(); position != recording.end(); ++position) {
        const auto octets = recording[position].octets;
        texts.emplace_back(reinterpret_cast<const char*>(octets.data()), octets.size());
    }
    return texts;
}

TEST(Recording, KeepsWhatItWasTold) {
    Recording recording(4, 100);
    append(recording, "hello", kBegin + 7ns, Way::out);
    ASSERT_EQ(recording.end() - recording.begin(), 1u);
    const auto [what, octets] = recording[0];
    EXPECT_EQ(what.at, kBegin + 7ns);
    EXPECT_EQ(what.length, 5u);
    EXPECT_EQ(what.way, Way::out);
    EXPECT_FALSE(what.is_dropped());
    EXPECT_EQ(octets.size(), 5u);
}

TEST(Recording, KeepsTheFirstOctetsAndTheWholeLength) {
    Recording recording(4, 3);
    append(recording, "hello");
    EXPECT_THAT(all(recording), ElementsAre("hel"));
    EXPECT_EQ(recording[0].what.length, 5u);
}

// However often it goes around, the last ones are there, in order, and nothing more.
TEST(Recording, TheNewestTakesThePlaceOfTheOldest) {
    Recording recording(3, 20);
    for (int i = 0; i < 1000; ++i) {
        append(recording, std::to_string(i));
        if (i >= 2) {
            ASSERT_THAT(all(recording), ElementsAre(std::to_string(i - 2), std::to_string(i - 1),
                                                    std::to_string(i)));
        }
    }
}

// The port did not take them: what was there before is still there.
TEST(Recording, WhatIsTakenBackHasNotHappened) {
    Recording recording(3, 20);
    for (int i = 0; i < 500; ++i) {
        append(recording, std::to_string(i));
        for (std::size_t n = 0; n < Recording::kMostTakenBack; ++n) append(recording, "offered");
        recording.take_back(Recording::kMostTakenBack);
        if (i >= 2) {
            ASSERT_THAT(all(recording), ElementsAre(std::to_string(i - 2), std::to_string(i - 1),
                                                    std::to_string(i)));
        }
    }
}

TEST(Recording, AReasonAndATimeMayComeLater) {
    Recording recording(3, 20);
    for (const auto* text : {"a", "b", "c", "d"}) append(recording, text);
    recording.set_reason(2, DropReason::fragment);
    recording.set_time(3, kBegin + 5ns);
    EXPECT_FALSE(recording[1].what.is_dropped());
    EXPECT_EQ(recording[2].what.reason, DropReason::fragment);
    EXPECT_EQ(recording[2].what.at, kBegin);
    EXPECT_FALSE(recording[3].what.is_dropped());
    EXPECT_EQ(recording[3].what.at, kBegin + 5ns);
    EXPECT_THAT(all(recording), ElementsAre("b", "c", "d"));
}

// A place that is used again knows nothing of the one before.
TEST(Recording, AReasonGoesWithItsPacket) {
    Recording recording(1, 20);
    append(recording, "dropped");
    recording.set_reason(0, DropReason::fragment);
    for (std::uint64_t i = 1; i < 200; ++i) {
        append(recording, "good");
        ASSERT_FALSE(recording[i].what.is_dropped());
    }
}

TEST(Recording, IsEmptyWhenItIsCleared) {
    Recording recording(3, 20);
    append(recording, "a");
    recording.clear();
    EXPECT_THAT(all(recording), IsEmpty());
    append(recording, "b");
    EXPECT_THAT(all(recording), ElementsAre("b"));
}

}  // namespace
}  // namespace joinleaf::dataplane
