// What a recorder writes by itself, how often, and what its files hold.
#include <controlplane/recorder_files.h>
#include <controlplane/recording_file.h>
#include <gtest/gtest.h>
#include <net/pcapng.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;
using dataplane::Recording;
using dataplane::Way;

constexpr Instant kBegin{1h};

TEST(OncePer, IsAdmittedOnceInEachInterval) {
    OncePer limit(1s);
    EXPECT_TRUE(limit.admit(kBegin));
    EXPECT_FALSE(limit.admit(kBegin));
    EXPECT_FALSE(limit.admit(kBegin + 1s - 1ns));
    EXPECT_TRUE(limit.admit(kBegin + 1s));
    EXPECT_FALSE(limit.admit(kBegin + 2s - 1ns));
    EXPECT_TRUE(limit.admit(kBegin + 1h));
}

TEST(OncePer, CountsThoseThatCameTooSoon) {
    OncePer limit(1s);
    for (int i = 0; i < 10; ++i) static_cast<void>(limit.admit(kBegin));
    EXPECT_EQ(limit.take_passed_over(), 9u);
    EXPECT_EQ(limit.take_passed_over(), 0u);
}

TEST(KeptFiles, TheOldestGoesForTheNewest) {
    KeptFiles kept(2);
    EXPECT_EQ(kept.add("a", kBegin), std::nullopt);
    EXPECT_EQ(kept.add("b", kBegin + 1min), std::nullopt);
    EXPECT_EQ(kept.add("c", kBegin + 2min), "a");
    EXPECT_EQ(kept.add("d", kBegin + 3min), "b");
}

// It shows how what goes on for minutes began.
TEST(KeptFiles, TheFirstOfAnEpisodeStays) {
    KeptFiles kept(3);
    EXPECT_EQ(kept.add("first", kBegin), std::nullopt);
    EXPECT_EQ(kept.add("a", kBegin + 1s), std::nullopt);
    EXPECT_EQ(kept.add("b", kBegin + 2s), std::nullopt);
    EXPECT_EQ(kept.add("c", kBegin + 3s), "a");
    EXPECT_EQ(kept.add("d", kBegin + 13s), "b");
    EXPECT_EQ(kept.add("second", kBegin + 1h), "c");
    EXPECT_EQ(kept.add("e", kBegin + 1h + 1s), "d");
    EXPECT_EQ(kept.add("f", kBegin + 1h + 2s), "e");
    // Where all begin one, the oldest goes.
    EXPECT_EQ(kept.add("third", kBegin + 2h), "f");
    EXPECT_EQ(kept.add("fourth", kBegin + 3h), "first");
}

TEST(KeptFiles, OfOneFileItIsTheNewest) {
    KeptFiles kept(1);
    EXPECT_EQ(kept.add("a", kBegin), std::nullopt);
    EXPECT_EQ(kept.add("b", kBegin + 1s), "a");
    EXPECT_EQ(kept.add("c", kBegin + 2s), "b");
}

TEST(RecorderFiles, AreCalledByTheirTimeSoThatTheyAreInOrder) {
    EXPECT_EQ(recorder_file_name("/var/tmp/feed", 1'764'133'322'000'000'007ns),
              "/var/tmp/feed-20251126T050202.000000007Z.pcapng");
    EXPECT_EQ(recorder_file_name("x", 0ns), "x-19700101T000000.000000000Z.pcapng");
}

class RecordingFiles : public testing::Test {
protected:
    RecordingFiles() { std::filesystem::create_directory(directory_); }
    ~RecordingFiles() override { std::filesystem::remove_all(directory_); }

    [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }
    [[nodiscard]] std::vector<std::byte> octets(const std::string& name) const {
        std::ifstream file(path(name), std::ios::binary);
        std::vector<std::byte> all;
        std::transform(std::istreambuf_iterator<char>(file), {}, std::back_inserter(all),
                       [](char c) { return static_cast<std::byte>(c); });
        return all;
    }
    static void append(Recording& recording, std::string_view text, Instant at, Way way = Way::in) {
        const auto place = recording.append(at, way, static_cast<std::uint32_t>(text.size()));
        std::memcpy(place.data(), text.data(), place.size());
    }

    const std::filesystem::path directory_ =
        std::filesystem::temp_directory_path() / ("joinleaf-recorder-" + std::to_string(getpid()));
    Recording first_{8, 4};
    Recording second_{8, 4};
    const std::array<RecordedLane, 2> lanes_{
        RecordedLane{"a", "queue 0", MacAddress({2, 0, 0, 0, 0, 1}), &first_},
        RecordedLane{"b", "queue 1", MacAddress({2, 0, 0, 0, 0, 2}), &second_}};
};

// The packets of all queues in the order of time, and nothing else.
TEST_F(RecordingFiles, HoldWhatEachQueueHasRecorded) {
    append(first_, "one", kBegin + 1ns);
    append(second_, "two", kBegin + 2ns, Way::out);
    append(first_, "three", kBegin + 3ns);
    first_.set_reason(1, DropReason::no_subscriber);
    EXPECT_EQ(write_recordings({.path = path("f"), .why = "gap"}, lanes_, 5s), 3u);

    std::vector<std::byte> expected;
    net::append_pcapng_section("joinleaf", "gap", expected);
    net::append_pcapng_interface({"a", "queue 0", lanes_[0].mac, 4}, expected);
    net::append_pcapng_interface({"b", "queue 1", lanes_[1].mac, 4}, expected);
    const auto add = [&](std::uint32_t lane, std::chrono::nanoseconds at, std::string_view text,
                         std::uint32_t length, net::PacketWay way, std::string_view comment) {
        net::append_pcapng_packet(
            {lane, 1h + 5s + at, length, std::as_bytes(std::span(text)), way, comment}, expected);
    };
    add(0, 1ns, "one", 3, net::PacketWay::inbound, "");
    add(1, 2ns, "two", 3, net::PacketWay::outbound, "");
    add(0, 3ns, "thre", 5, net::PacketWay::inbound, "dropped: no_subscriber");
    EXPECT_EQ(octets("f"), expected);
}

TEST_F(RecordingFiles, AreForThisUserAlone) {
    ASSERT_TRUE(write_recordings({.path = path("f"), .why = {}}, lanes_, 0s));
    struct stat status {};
    ASSERT_EQ(::stat(path("f").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(RecordingFiles, TakeThePlaceOfWhatIsThereOnlyIfTheyMay) {
    append(first_, "one", kBegin);
    std::ofstream(path("f")) << std::string(100'000, 'x');
    EXPECT_EQ(write_recordings({.path = path("f"), .is_new = true, .why = {}}, lanes_, 0s).error(),
              std::errc::file_exists);
    EXPECT_EQ(octets("f").size(), 100'000u);
    EXPECT_TRUE(write_recordings({.path = path("f"), .why = {}}, lanes_, 0s));
    EXPECT_LT(octets("f").size(), 1000u);
}

TEST_F(RecordingFiles, APathThatCannotBeIsToldOf) {
    EXPECT_EQ(write_recordings({.path = path("no/such"), .why = {}}, lanes_, 0s).error(),
              std::errc::no_such_file_or_directory);
    EXPECT_EQ(write_recordings({.path = directory_, .why = {}}, lanes_, 0s).error(),
              std::errc::is_a_directory);
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

// What is there already is not ours to remove.
TEST_F(RecordingFiles, AFullDiskIsToldOf) {
    append(first_, "one", kBegin);
    EXPECT_EQ(write_recordings({.path = "/dev/full", .why = {}}, lanes_, 0s).error(),
              std::errc::no_space_on_device);
    EXPECT_TRUE(std::filesystem::exists("/dev/full"));
}

TEST(WallClock, IsWhatTheSystemClockSays) {
    const auto now = Instant::clock::now().time_since_epoch() + since_1970_at_instant_zero();
    const auto utc = std::chrono::system_clock::now().time_since_epoch();
    EXPECT_LT(std::chrono::abs(utc - now), 100ms);
}

}  // namespace
}  // namespace joinleaf::controlplane
