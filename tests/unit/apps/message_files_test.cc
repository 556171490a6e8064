// Files and pipes of messages, in and out: what is written is read again.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/feed_files/message_sink.h>
#include <apps/joinleaf/feed_files/message_source.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/captures.h"
#include "tests/support/mold_packets.h"
#include "tests/support/read_layout.h"

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::hex_of;
using test::mold_packet;
using test::Octets;
using test::Pcapng;
using test::udp_frame;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// A folder that goes with the test.
class Folder {
public:
    Folder() {
        std::string name = testing::TempDir() + "joinleaf-XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
    [[nodiscard]] std::string with(const std::string& name,
                                   std::span<const std::byte> octets) const {
        std::ofstream(path(name), std::ios::binary)
            .write(reinterpret_cast<const char*>(octets.data()),
                   static_cast<std::streamsize>(octets.size()));
        return path(name);
    }
    [[nodiscard]] Octets octets_in(const std::string& name) const {
        std::ifstream stream(path(name), std::ios::binary);
        return test::octets(std::string{std::istreambuf_iterator<char>(stream), {}});
    }

private:
    std::filesystem::path folder_;
};

struct Pipe {
    Pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        read = Descriptor(ends[0]);
        write = Descriptor(ends[1]);
    }
    void put(std::span<const std::byte> octets) const {
        ASSERT_EQ(::write(write.get(), octets.data(), octets.size()),
                  static_cast<ssize_t>(octets.size()));
    }
    Descriptor read;
    Descriptor write;
};

std::vector<std::string> texts(std::span<const FeedMessage> messages) {
    std::vector<std::string> all;
    for (const auto& message : messages) {
        all.emplace_back(reinterpret_cast<const char*>(message.octets.data()),
                         message.octets.size());
    }
    return all;
}

/// All messages of a file, and what ended it.
std::pair<std::vector<std::string>, std::string> all_of(MessageSource& source) {
    std::vector<std::string> all;
    try {
        while (!source.ended()) {
            for (auto& text : texts(source.read())) all.push_back(std::move(text));
        }
    } catch (const Failure& failure) {
        return {all, failure.what()};
    }
    return {all, ""};
}

template <class Action>
std::string failure_of(Action action) {
    try {
        action();
    } catch (const Failure& failure) {
        return failure.what();
    }
    return "no failure";
}

TEST(MessageSource, ReadsAFileOfAnySizeThroughItsWindow) {
    const Folder folder;
    Octets octets;
    constexpr std::size_t kCount = 100;
    for (std::size_t i = 0; i < kCount; ++i) {
        const std::size_t length = i % 3 == 0 ? 65535 : i;
        octets.push_back(static_cast<std::byte>(length >> 8));
        octets.push_back(static_cast<std::byte>(length & 0xff));
        octets.resize(octets.size() + length, static_cast<std::byte>('a' + i % 26));
    }
    MessageSource source = MessageSource::open(folder.with("in", octets), {});
    EXPECT_FALSE(source.may_block());
    EXPECT_EQ(source.size(), octets.size());
    const auto [all, wrong] = all_of(source);
    EXPECT_EQ(wrong, "");
    ASSERT_EQ(all.size(), kCount);
    EXPECT_EQ(all[1], "b");
    EXPECT_EQ(all[99], std::string(65535, 'a' + 99 % 26));
    EXPECT_EQ(source.octets(), octets.size());
}

TEST(MessageSource, NamesTheOctetAfterAllThatWasBefore) {
    const Folder folder;
    MessageSource source =
        MessageSource::open(folder.with("in", bytes_of("0001 61 0001 62 0009 63")), {});
    EXPECT_THAT(texts(source.read()), ElementsAre("a", "b"));
    EXPECT_THAT(failure_of([&] { (void)source.read(); }),
                StartsWith(folder.path("in") + ": at octet 6: a message of 11 octets"));
}

TEST(MessageSource, OfAPipeGivesWhatHasCome) {
    Pipe pipe;
    MessageSource source(std::move(pipe.read), "pipe", {.format = InputFormat::lines});
    EXPECT_TRUE(source.may_block());
    EXPECT_EQ(source.size(), std::nullopt);
    EXPECT_THAT(source.read(), IsEmpty());
    EXPECT_FALSE(source.ended());
    pipe.put(test::octets("one\ntw"));
    EXPECT_THAT(texts(source.read()), ElementsAre("one"));
    EXPECT_THAT(source.read(), IsEmpty());
    pipe.put(test::octets("o\nthree"));
    EXPECT_THAT(texts(source.read()), ElementsAre("two"));
    pipe.write.close();
    EXPECT_THAT(texts(source.read()), ElementsAre("three"));
    EXPECT_THAT(source.read(), IsEmpty());
    EXPECT_TRUE(source.ended());
}

TEST(MessageSource, OfAPipeFullOfMessagesNeedsNoMoreToGiveThemAll) {
    Pipe pipe;
    MessageSource source(std::move(pipe.read), "pipe", {.format = InputFormat::lines});
    pipe.put(Octets(1000, std::byte{'\n'}));
    std::size_t all = 0;
    for (auto messages = source.read(); !messages.empty(); messages = source.read()) {
        all += messages.size();
    }
    EXPECT_EQ(all, 1000u);
    EXPECT_FALSE(source.ended());
}

TEST(MessageSource, WhatCannotBeReadIsNamedWithItsCure) {
    const Folder folder;
    EXPECT_THAT(failure_of([&] { (void)MessageSource::open(folder.path("none"), {}); }),
                HasSubstr("No such file or directory; name a readable file with --input"));
    EXPECT_THAT(failure_of([&] { (void)MessageSource::open(folder.path("."), {}); }),
                HasSubstr("is a directory"));
    const auto zipped = folder.with("in.gz", bytes_of("1f8b0800"));
    EXPECT_THAT(failure_of([&] { (void)MessageSource::open(zipped, {}); }),
                HasSubstr("is compressed; unpack it on the way, as in zcat " + zipped));
    const auto capture = folder.with("in.pcapng", Pcapng().octets());
    EXPECT_EQ(failure_of([&] { (void)MessageSource::open(capture, {}); }),
              capture + " is a capture; replay it with --input-format pcap");
}

TEST(MessageSource, OfACaptureSurveysTheFileForItsFlow) {
    const Folder folder;
    Pcapng capture;
    capture.interface(1);
    for (std::uint64_t i = 1; i <= 10'000; ++i) {
        capture.frame(0, i, udp_frame("239.1.1.1", 5000, mold_packet("A", i, 1)));
    }
    const SourceOptions options{.format = InputFormat::capture};
    MessageSource source = MessageSource::open(folder.with("one", capture.octets()), options);
    EXPECT_EQ(source.octets(), 0u);
    const auto [all, wrong] = all_of(source);
    EXPECT_EQ(all.size(), 10'000u);
    EXPECT_EQ(wrong, "");
    EXPECT_EQ(source.replay()->line.packets, 10'000u);
    EXPECT_EQ(source.octets(), capture.octets().size());

    capture.frame(0, 1, udp_frame("239.1.1.2", 5000, mold_packet("A", 1, 1)));
    const auto two = folder.with("two", capture.octets());
    EXPECT_EQ(failure_of([&] { (void)MessageSource::open(two, options); }),
              two +
                  " holds several feeds or lines: 239.1.1.1:5000 (session A, 10000 packets), "
                  "239.1.1.2:5000 (session A, 1 packets); name the one to replay with "
                  "--input-flow IP:PORT");
    const Flow named{Ipv4Address(239, 1, 1, 2), 5000};
    MessageSource second =
        MessageSource::open(two, {.format = InputFormat::capture, .flow = named});
    EXPECT_EQ(all_of(second).first.size(), 1u);
}

MessageRun run_of(const Octets& packet, RecordedTime at = {}) {
    const auto parsed = net::parse_mold(packet).value();
    return {.session = parsed.session,
            .first = parsed.sequence,
            .messages = parsed.messages,
            .at = at,
            .ends = {.source = Ipv4Address(10, 0, 0, 1),
                     .source_port = 4000,
                     .to = GroupEndpoint::parse("239.1.1.1:5000").value()}};
}

TEST(MessageSink, WritesLengthsAsTheyStandOnTheWire) {
    const Folder folder;
    MessageSink sink(Output::open(folder.path("out")), OutputFormat::lengths);
    const auto packet =
        bytes_of("41202020202020202020 0000000000000001 0003 0002 6869 0000 0001 0a");
    sink.append(run_of(packet));
    sink.end(run_of(packet));
    sink.close();
    EXPECT_EQ(hex_of(folder.octets_in("out")), "00026869000000010a");
}

TEST(MessageSink, WritesLinesAndCountsThoseThatAreNone) {
    const Folder folder;
    MessageSink sink(Output::open(folder.path("out")), OutputFormat::lines);
    const auto packet =
        bytes_of("41202020202020202020 0000000000000001 0003 0002 6869 0000 0001 0a");
    sink.append(run_of(packet));
    EXPECT_EQ(sink.waiting(), 6u);
    sink.close();
    EXPECT_EQ(hex_of(folder.octets_in("out")), "68690a0a0a0a");
    EXPECT_EQ(sink.broken_lines(), 1u);
}

TEST(MessageSink, WritesACaptureThatBeginsWithItsSectionAndInterface) {
    const Folder folder;
    MessageSink sink(Output::open(folder.path("out")), OutputFormat::pcapng);
    sink.close();
    const auto octets = folder.octets_in("out");
    EXPECT_EQ(hex_of(std::span(octets).first(24)),
              "0a0d0d0a34000000"
              "4d3c2b1a01000000"
              "ffffffffffffffff");
    EXPECT_EQ(hex_of(std::span(octets).last(32)),
              "0100000020000000"
              "0100000000000000"
              "0900010009000000"
              "0000000020000000");
}

TEST(MessageSink, WritesACaptureOfItsMessagesAndTheEnd) {
    const Folder folder;
    MessageSink sink(Output::open(folder.path("out")), OutputFormat::pcapng);
    sink.append(run_of(mold_packet("A", 7, 2), 1s + 1ns));
    sink.append(run_of(mold_packet("A", 10, 1), 1s + 150ms));
    sink.end(run_of(mold_packet("A", 11, 0), 2s));
    sink.close();

    MessageSource source = MessageSource::open(folder.path("out"), {InputFormat::capture, {}});
    std::vector<std::uint64_t> numbers;
    std::vector<RecordedTime> times;
    while (!source.ended()) {
        for (const auto& message : source.read()) {
            numbers.push_back(test::mold_number(message.octets));
            times.push_back(*message.recorded);
        }
    }
    EXPECT_THAT(numbers, ElementsAre(7, 8, 10));
    EXPECT_THAT(times, ElementsAre(1s + 1ns, 1s + 1ns, 1s + 150ms)) << "to the nanosecond";
    EXPECT_EQ(source.replay()->line.missing, 1u) << "a gap is a gap in the capture, too";
    EXPECT_EQ(source.replay()->frames, 3u);
}

RC_GTEST_PROP(MessageFiles, WhatIsWrittenIsReadAgain,
              (const std::vector<std::vector<std::uint8_t>>& messages, bool capture)) {
    const Folder folder;
    MessageSink sink(Output::open(folder.path("out")),
                     capture ? OutputFormat::pcapng : OutputFormat::lengths);
    std::vector<std::string> written;
    std::uint64_t sequence = 1;
    for (const auto& message : messages) {
        Octets packet(net::kMoldHeaderSize + net::kMoldLengthSize + message.size());
        net::emit_mold_header(net::MoldSession::from("A").value(), sequence++, 1, packet.data());
        net::emit_mold_length(message.size(), packet.data() + net::kMoldHeaderSize);
        const auto octets = std::as_bytes(std::span(message));
        std::ranges::copy(octets, packet.end() - static_cast<std::ptrdiff_t>(octets.size()));
        written.emplace_back(message.begin(), message.end());
        sink.append(run_of(packet));
    }
    sink.close();
    RC_PRE(!capture || !messages.empty());
    MessageSource source = MessageSource::open(
        folder.path("out"), {capture ? InputFormat::capture : InputFormat::lengths, {}});
    RC_ASSERT(all_of(source).first == written);
}

}  // namespace
}  // namespace joinleaf::app
