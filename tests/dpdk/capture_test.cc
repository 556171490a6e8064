// A runtime's recorder: files on demand and around what went wrong, while packets move.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "tests/dpdk/on_the_wire.h"
#include "tests/support/read_pcapng.h"

namespace joinleaf::test {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const JoinOptions kListen{.direction = Direction::receiver_only};

class Capturing : public OnTheWire {
protected:
    explicit Capturing(std::uint16_t queues = 1) : OnTheWire(queues) {
        std::filesystem::create_directory(directory_);
        options_.recorder = {.packets = 100, .snap = 2048};
        options_.log = [this](std::string_view line) {
            const std::lock_guard lock(mutex_);
            log_.emplace_back(line);
        };
    }
    ~Capturing() override { std::filesystem::remove_all(directory_); }

    [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }
    /// What the recorder holds now.
    ReadPcapng dump() {
        const auto dumped = runtime().dump_recorder(path("dump"));
        EXPECT_TRUE(dumped) << error_of(dumped).message();
        auto read = PcapngReader(path("dump")).read();
        if (dumped) {
            EXPECT_EQ(dumped->path, path("dump"));
            EXPECT_EQ(dumped->packets, read.packets.size());
        }
        return read;
    }
    [[nodiscard]] std::set<std::string> files() const {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
            names.insert(entry.path());
        }
        return names;
    }
    void send(std::string_view text, std::uint16_t queue = 0) {
        network_.send(frame_of({.payload = bytes_of_text(text)}), queue);
    }
    void wait_until_received(std::uint64_t n) {
        EXPECT_TRUE(eventually([&] { return counters().received >= n; }));
    }
    [[nodiscard]] std::vector<std::string> log() {
        const std::lock_guard lock(mutex_);
        return log_;
    }

    const std::filesystem::path directory_ =
        std::filesystem::temp_directory_path() / ("joinleaf-capture-" + std::to_string(getpid()));
    std::mutex mutex_;
    std::vector<std::string> log_;
};

TEST_F(Capturing, WithoutARecorderThereIsNothingToWrite) {
    start([](RuntimeOptions& options) { options.recorder = {}; });
    EXPECT_EQ(error_of(runtime().dump_recorder(path("dump"))), std::errc::operation_not_supported);
    EXPECT_FALSE(runtime().record_around("nothing"));
    EXPECT_THAT(files(), IsEmpty());
}

// What came, what left and what was dropped, in one file, by the time of day.
TEST_F(Capturing, AFileHoldsWhatWentEitherWay) {
    start();
    auto receiver = open_receiver();
    auto leaf = join(kEndpoint, {.receiver = &receiver}, kListen);
    auto root = join(nth_endpoint(1), {}, {.direction = Direction::sender_only});
    auto sender = root.sender();
    ASSERT_TRUE(sender);
    publish(*sender, "sent");
    ASSERT_TRUE(eventually([&] { return counters().sent == 1; }));
    send("received");
    network_.send(frame_of({.destination_mac = MacAddress({2, 9, 9, 9, 9, 9})}));
    wait_until_received(2);

    const auto read = dump();
    EXPECT_THAT(read.interfaces, ElementsAre(network_.port()));
    const auto with_comment = [&](std::string_view comment) {
        return std::ranges::count(read.packets, comment, &ReadPacket::comment);
    };
    EXPECT_EQ(with_comment("dropped: other_mac"), 1);
    EXPECT_EQ(with_comment(""), std::ssize(read.packets) - 1);
    const auto received = frame_of({.payload = bytes_of_text("received")});
    const auto found = std::ranges::find(read.packets, received, &ReadPacket::octets);
    ASSERT_NE(found, read.packets.end());
    EXPECT_EQ(found->flags, 1u);
    EXPECT_EQ(found->length, received.size());
    const auto utc = std::chrono::system_clock::now().time_since_epoch();
    for (const auto& packet : read.packets) EXPECT_LT(std::chrono::abs(utc - packet.at), 60s);
    EXPECT_TRUE(std::ranges::is_sorted(read.packets, {}, &ReadPacket::at));
    const auto is_sent = [](const ReadPacket& packet) {
        return packet.flags == 2 && packet.octets.size() == 46;
    };
    EXPECT_EQ(std::ranges::count_if(read.packets, is_sent), 1);
}

// Each packet is in one file, and when nothing has come since there is none in it.
TEST_F(Capturing, TheNextFileHoldsWhatCameSince) {
    start();
    send("first");
    wait_until_received(1);
    EXPECT_THAT(dump().packets, Contains(Field(&ReadPacket::flags, 1u)));
    EXPECT_THAT(dump().packets, IsEmpty());
    send("second");
    wait_until_received(2);
    EXPECT_EQ(dump().packets.size(), 1u);
}

TEST_F(Capturing, TheLastOnesAreKept) {
    start([](RuntimeOptions& options) { options.recorder.snap = 60; });
    for (int i = 0; i < 1000; ++i) send(std::to_string(i) + std::string(100, '.'));
    wait_until_received(1000);
    const auto read = dump();
    ASSERT_EQ(read.packets.size(), 100u);
    EXPECT_THAT(read.packets, Each(Field(&ReadPacket::length, 42u + 103u)));
    for (std::size_t i = 0; i < 100; ++i) {
        const auto& octets = read.packets[i].octets;
        ASSERT_EQ(octets.size(), 60u);
        const std::string text(reinterpret_cast<const char*>(octets.data()) + 42, 4);
        EXPECT_EQ(text, std::to_string(900 + i) + ".");
    }
}

// Traffic goes on while files are written: nothing is lost, and no packet is in two files or cut.
TEST_F(Capturing, FilesMayBeWrittenWhilePacketsMove) {
    start([](RuntimeOptions& options) { options.recorder.packets = 50'000; });
    constexpr std::uint64_t kPackets = 20'000;
    auto sending = std::async(std::launch::async, [&] {
        for (std::uint64_t i = 0; i < kPackets; ++i) send(std::to_string(i));
    });
    std::vector<std::string> seen;
    const auto take_all = [&] {
        for (const auto& packet : dump().packets) {
            if (packet.flags != 1) continue;
            seen.emplace_back(reinterpret_cast<const char*>(packet.octets.data()) + 42,
                              packet.octets.size() - 42);
        }
    };
    while (sending.wait_for(1ms) != std::future_status::ready) take_all();
    wait_until_received(kPackets);
    take_all();
    ASSERT_EQ(seen.size(), kPackets);
    for (std::uint64_t i = 0; i < kPackets; ++i) ASSERT_EQ(seen[i], std::to_string(i));
}

TEST_F(Capturing, APathThatCannotBeIsAnErrorAndAllGoesOn) {
    start();
    send("x");
    wait_until_received(1);
    EXPECT_EQ(error_of(runtime().dump_recorder(path("no/such"))),
              std::errc::no_such_file_or_directory);
    EXPECT_EQ(error_of(runtime().dump_recorder("")), std::errc::operation_not_supported);
    send("y");
    wait_until_received(2);
    EXPECT_EQ(dump().packets.size(), 1u);
}

TEST_F(Capturing, AfterTheEndThereIsNothingToWrite) {
    start();
    runtime().stop(0ms);
    EXPECT_EQ(error_of(runtime().dump_recorder(path("dump"))), std::errc::network_down);
    static_cast<void>(runtime().record_around("too late"));
    EXPECT_THAT(files(), IsEmpty());
}

// Around: with what came before, and half as many after.
TEST_F(Capturing, AFileAroundSomethingHasWhatCameAfterItToo) {
    start([&](RuntimeOptions& options) { options.recorder.prefix = path("gap"); });
    for (int i = 0; i < 80; ++i) send("before");
    wait_until_received(80);
    EXPECT_TRUE(runtime().record_around("gap of 3"));
    EXPECT_FALSE(runtime().record_around("gap of 4"));  // within the second
    // Until it has been told, what comes does not count as after it.
    static_cast<void>(runtime().status());
    std::this_thread::sleep_for(20ms);
    for (int i = 0; i < 60; ++i) send("after");
    ASSERT_TRUE(eventually([&] { return !log().empty() && files().size() == 1; }));
    ASSERT_TRUE(eventually([&] {
        const auto lines = log();
        return std::ranges::any_of(lines,
                                   [](const auto& line) { return line.starts_with("recorded"); });
    }));
    EXPECT_THAT(log(), Contains(HasSubstr("(gap of 3; 1 more came too soon)")));
    const auto read = PcapngReader(*files().begin()).read();
    EXPECT_EQ(read.comment, "gap of 3");
    const auto count = [&](std::string_view text) {
        const auto frame = frame_of({.payload = bytes_of_text(text)});
        return std::ranges::count(read.packets, frame, &ReadPacket::octets);
    };
    EXPECT_GE(count("after"), 50);
    EXPECT_GE(count("before"), 30);
    EXPECT_LE(read.packets.size(), 100u);
}

// Nothing comes any more: the file is there all the same, and shortly.
TEST_F(Capturing, AFileAroundSomethingDoesNotWaitForTraffic) {
    start([&](RuntimeOptions& options) { options.recorder.prefix = path("gap"); });
    send("before");
    wait_until_received(1);
    EXPECT_TRUE(runtime().record_around("gap"));
    ASSERT_TRUE(eventually([&] { return !files().empty(); }));
}

// A program that ends for what it has met loses nothing of it.
TEST_F(Capturing, AFileAroundSomethingIsWrittenBeforeTheEnd) {
    start([&](RuntimeOptions& options) { options.recorder.prefix = path("gap"); });
    send("before");
    wait_until_received(1);
    EXPECT_TRUE(runtime().record_around("the end"));
    runtime().stop(0ms);
    ASSERT_EQ(files().size(), 1u);
    EXPECT_THAT(PcapngReader(*files().begin()).read().packets,
                Contains(Field(&ReadPacket::flags, 1u)));
}

TEST_F(Capturing, DropsMayAskForAFileAndTheNewestFilesStay) {
    start([&](RuntimeOptions& options) {
        options.recorder.prefix = path("drop");
        options.recorder.files = 2;
        options.recorder.interval = 1ms;
        options.recorder.drops = {DropReason::other_mac};
    });
    send("no_subscriber asks for nothing");
    wait_until_received(1);
    EXPECT_THAT(files(), IsEmpty());
    std::set<std::string> before;
    for (int i = 0; i < 4; ++i) {
        network_.send(frame_of({.destination_mac = MacAddress({2, 9, 9, 9, 9, 9})}));
        ASSERT_TRUE(eventually([&] {
            const auto now = files();
            return now.size() == std::min<std::size_t>(2, static_cast<std::size_t>(i) + 1) &&
                   now != before;
        })) << i;
        before = files();
    }
    const auto read = PcapngReader(*before.rbegin()).read();
    EXPECT_EQ(read.comment, "dropped: other_mac");
    EXPECT_THAT(read.packets, ElementsAre(Field(&ReadPacket::comment, "dropped: other_mac")));
}

TEST_F(Capturing, OptionsThatCannotBeAreRefused) {
    const auto failure = [&](std::size_t packets, std::size_t snap) -> std::string {
        options_.recorder = {.packets = packets, .snap = snap};
        try {
            static_cast<void>(Runtime::start(options_));
            return "it started";
        } catch (const std::system_error& error) {
            return error.what();
        }
    };
    EXPECT_THAT(failure(1'000'001, 128), HasSubstr("cannot keep 1000001 packets; 1000000 at most"));
    EXPECT_THAT(failure(1, 13), HasSubstr("cannot keep 13 octets of a packet; 14 to 2048"));
    EXPECT_THAT(failure(1, 2049), HasSubstr("cannot keep 2049 octets"));
}

// Without hugepages nobody can attach, and that is said once.
TEST_F(Capturing, ThatDumpcapCannotAttachIsToldOnce) {
    start([](RuntimeOptions& options) { options.allow_secondary = true; });
    EXPECT_FALSE(runtime().status().secondary);
    const auto lines = log();
    EXPECT_EQ(std::ranges::count_if(
                  lines, [](const auto& line) { return line.starts_with("dpdk-dumpcap cannot"); }),
              1);
}

class CapturingTwoQueues : public Capturing {
protected:
    CapturingTwoQueues() : Capturing(2) {
        options_.workers = 2;
        options_.ports[0].queues = 2;
    }
};

// Each queue is an interface; all of them are in one order.
TEST_F(CapturingTwoQueues, EachQueueIsAnInterface) {
    start();
    send("by 0", 0);
    wait_until_received(1);
    send("by 1", 1);
    wait_until_received(2);
    auto read = dump();
    EXPECT_THAT(read.interfaces,
                ElementsAre(network_.port() + " queue 0", network_.port() + " queue 1"));
    std::erase_if(read.packets, [](const ReadPacket& packet) { return packet.flags != 1; });
    // Stamped with the beginning of the turn that read it, which a busy machine may put before what
    // the other worker received meanwhile.
    EXPECT_THAT(read.packets,
                UnorderedElementsAre(Field(&ReadPacket::interface, read.interfaces[0]),
                                     Field(&ReadPacket::interface, read.interfaces[1])));
    EXPECT_TRUE(std::ranges::is_sorted(read.packets, {}, &ReadPacket::at));
}

}  // namespace
}  // namespace joinleaf::test
