// The pure parts of the demonstration: the snooping switch, the words, the digests.
#include <apps/joinleaf/demo/digest.h>
#include <apps/joinleaf/demo/latency_samples.h>
#include <apps/joinleaf/demo/snooping_switch.h>
#include <apps/joinleaf/demo/test_file.h>
#include <apps/joinleaf/demo/words.h>
#include <apps/joinleaf/failure.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/frame.h>

#include <string_view>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using igmp::RecordType;
using ::testing::ElementsAre;

constexpr GroupAddress kGroup = GroupAddress::of(239, 77, 0, 1);
constexpr Ipv4Address kRoot(10, 77, 0, 1);
constexpr Ipv4Address kStranger(10, 77, 0, 9);

MacAddress mac_of(std::size_t port) {
    return MacAddress({2, 0, 0, 0, 0, static_cast<std::uint8_t>(port + 1)});
}
Ipv4Address address_of(std::size_t port) {
    return Ipv4Address(kRoot.value() + static_cast<std::uint32_t>(port));
}

using Frame = std::vector<std::byte>;

Frame igmp_frame(std::size_t port, std::span<const std::byte> message,
                 GroupAddress to = igmp::kVersion3Routers) {
    Frame frame(1514);
    const auto size = net::build_control_frame(
        {.source = mac_of(port), .destination = MacAddress::of_group(to), .vlan = {}},
        {.source = address_of(port),
         .destination = to.address(),
         .protocol = net::ip_protocol::kIgmp,
         .ttl = 1,
         .tos = 0xc0,
         .router_alert = true},
        message, frame);
    frame.resize(size.value());
    return frame;
}

Frame report_frame(std::size_t port, RecordType type, std::vector<Ipv4Address> sources = {}) {
    return igmp_frame(port, igmp::emit(igmp::Report{{{type, kGroup, std::move(sources)}}}));
}

Frame data_frame(std::size_t port, MacAddress to_mac, Ipv4Address to, Ipv4Address from) {
    Frame frame(1514);
    const auto size = net::build_udp_frame(
        {.source = mac_of(port), .destination = to_mac, .vlan = {}},
        {.source = from, .destination = to, .protocol = net::ip_protocol::kUdp},
        {.source_port = 5000, .destination_port = 5000}, {}, frame);
    frame.resize(size.value());
    return frame;
}

Frame group_frame(std::size_t port, Ipv4Address from = kRoot) {
    return data_frame(port, MacAddress::of_group(kGroup), kGroup.address(), from);
}

/// A switch of three ports; the sets are written 0b(port 2)(port 1)(port 0).
class Switch : public testing::Test {
protected:
    PortSet out_of(std::size_t from, const Frame& frame) { return switch_.receive(from, frame).to; }
    void report(std::size_t from, RecordType type, std::vector<Ipv4Address> sources = {}) {
        const auto forwarding = switch_.receive(from, report_frame(from, type, sources));
        EXPECT_TRUE(forwarding.report);
        EXPECT_EQ(forwarding.to, 0u) << "reports are for routers";
    }
    SnoopingSwitch switch_{3};
};

TEST_F(Switch, SendsAGroupNowhereUntilSomebodyJoins) {
    EXPECT_EQ(out_of(0, group_frame(0)), 0b000u);
    report(1, RecordType::to_exclude);
    EXPECT_EQ(out_of(0, group_frame(0)), 0b010u);
    report(2, RecordType::allow, {kRoot});
    EXPECT_EQ(out_of(0, group_frame(0)), 0b110u);
}

TEST_F(Switch, KeepsOtherSourcesFromASourceSpecificMember) {
    report(1, RecordType::to_exclude);
    report(2, RecordType::allow, {kRoot});
    EXPECT_EQ(out_of(0, group_frame(0, kStranger)), 0b010u);
}

TEST_F(Switch, StopsWhenAMemberLeaves) {
    report(1, RecordType::to_exclude);
    report(2, RecordType::allow, {kRoot});
    report(2, RecordType::block, {kRoot});
    EXPECT_EQ(out_of(0, group_frame(0)), 0b010u);
    report(1, RecordType::to_include);
    EXPECT_EQ(out_of(0, group_frame(0)), 0b000u);
}

TEST_F(Switch, NeverSendsAFrameBackWhereItCameFrom) {
    report(0, RecordType::to_exclude);
    report(1, RecordType::to_exclude);
    EXPECT_EQ(out_of(0, group_frame(0)), 0b010u);
}

TEST_F(Switch, UnderstandsOlderHosts) {
    const auto joined = igmp::emit(igmp::OlderReport{igmp::Version::v2, kGroup});
    EXPECT_TRUE(switch_.receive(1, igmp_frame(1, joined, kGroup)).report);
    EXPECT_EQ(out_of(0, group_frame(0)), 0b010u);
    EXPECT_TRUE(
        switch_.receive(1, igmp_frame(1, igmp::emit_leave(kGroup), igmp::kAllRouters)).report);
    EXPECT_EQ(out_of(0, group_frame(0)), 0b000u);
}

TEST_F(Switch, SendsQueriesAndTheLocalNetworkBlockEverywhere) {
    const auto query = igmp_frame(0, igmp::emit(igmp::Query{}), igmp::kAllSystems);
    const auto forwarding = switch_.receive(0, query);
    EXPECT_EQ(forwarding.to, 0b110u);
    EXPECT_FALSE(forwarding.report);
}

TEST_F(Switch, LearnsWhereUnicastGoes) {
    const auto to_port_2 = data_frame(0, mac_of(2), address_of(2), kRoot);
    EXPECT_EQ(out_of(0, to_port_2), 0b110u);
    const auto answer = data_frame(2, mac_of(0), kRoot, address_of(2));
    EXPECT_EQ(out_of(2, answer), 0b001u);
    EXPECT_EQ(out_of(0, to_port_2), 0b100u);
    EXPECT_EQ(out_of(1, data_frame(1, MacAddress::broadcast(), Ipv4Address(~0u), address_of(1))),
              0b101u);
}

TEST_F(Switch, DropsWhatIsDamaged) {
    auto frame = report_frame(1, RecordType::to_exclude);
    frame[40] ^= std::byte{1};  // in the IGMP message
    const auto forwarding = switch_.receive(1, frame);
    EXPECT_FALSE(forwarding.report);
    EXPECT_EQ(out_of(0, group_frame(0)), 0b000u);
    for (std::size_t size = 0; size < frame.size(); ++size) {
        EXPECT_FALSE(switch_.receive(1, std::span(frame).first(size)).report);
    }
}

// RFC 9776 §6.4.
TEST(FilterAfterARecord, FollowsTheModeItIsIn) {
    const Ipv4Address a(10, 0, 0, 1);
    const Ipv4Address b(10, 0, 0, 2);
    const auto in = SourceFilter::only({a});
    const SourceFilter ex(FilterMode::exclude, {a});
    const auto record = [&](RecordType type) { return igmp::Record{type, kGroup, {b}}; };
    EXPECT_EQ(after(in, record(RecordType::allow)).to_string(), "IN{10.0.0.1,10.0.0.2}");
    EXPECT_EQ(after(in, record(RecordType::block)), in);
    EXPECT_EQ(after(ex, record(RecordType::allow)), ex);
    EXPECT_EQ(after(ex, record(RecordType::block)).to_string(), "EX{10.0.0.1,10.0.0.2}");
    EXPECT_EQ(after(ex, {RecordType::allow, kGroup, {a}}), SourceFilter::any());
    EXPECT_EQ(after(ex, record(RecordType::to_include)), SourceFilter::only({b}));
    EXPECT_EQ(after(in, record(RecordType::is_exclude)).to_string(), "EX{10.0.0.2}");
}

TEST(Words, SayWhatARecordMeans) {
    EXPECT_EQ(in_words({RecordType::to_exclude, kGroup, {}}),
              "CHANGE_TO_EXCLUDE_MODE 239.77.0.1 {}: wants it from any source");
    EXPECT_EQ(in_words({RecordType::allow, kGroup, {kRoot}}),
              "ALLOW_NEW_SOURCES 239.77.0.1 {10.77.0.1}: wants it also from 10.77.0.1");
    EXPECT_EQ(in_words({RecordType::to_include, kGroup, {}}),
              "CHANGE_TO_INCLUDE_MODE 239.77.0.1 {}: wants nothing of it any more");
}

TEST(Words, ShowAFrameByLayersWithoutItsPadding) {
    const auto layers = layers_of(report_frame(1, RecordType::to_exclude));
    ASSERT_EQ(layers.size(), 3u);
    EXPECT_EQ(layers[0].name, "Ethernet");
    EXPECT_EQ(layers[0].hex, "01005e0000160200000000020800");
    EXPECT_EQ(layers[1].hex.substr(0, 8), "46c00028");
    EXPECT_EQ(layers[1].hex.substr(40), "94040000") << "Router Alert";
    EXPECT_EQ(layers[2].name, "IGMP");
    EXPECT_EQ(layers[2].hex.substr(0, 4), "2200");
    EXPECT_EQ(layers[2].hex.substr(16), "04000000ef4d0001");
}

TEST(LatencySamples, GiveNearestRanks) {
    LatencySamples samples(1000);
    for (int i = 1000; i >= 1; --i) samples.record(i * 1us);
    samples.record(1h);  // beyond the room
    const auto digest = samples.digest();
    EXPECT_EQ(digest.count, 1000u);
    EXPECT_EQ(digest.median, 500us);
    EXPECT_EQ(digest.p99, 990us);
    EXPECT_EQ(digest.p999, 999us);
    EXPECT_EQ(digest.longest, 1000us);
    EXPECT_EQ(LatencySamples(1).digest().count, 0u);
}

// FIPS 180-2, appendix B.1.
TEST(Sha256, OfAbc) {
    const std::string_view text = "abc";
    Sha256 sha256;
    sha256.update(std::as_bytes(std::span(text)).first(1));
    sha256.update(std::as_bytes(std::span(text)).subspan(1));
    EXPECT_EQ(to_string(sha256.digest()),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(TestFile, HoldsWhatItsDigestSays) {
    const auto file = TestFile::make(3'000'001, 7, [] {});
    std::vector<std::byte> bytes(4'000'000);
    std::size_t size = 0;
    for (ssize_t got = 1; got > 0; size += static_cast<std::size_t>(got)) {
        got = ::read(file.fd.get(), bytes.data() + size, bytes.size() - size);
        ASSERT_GE(got, 0);
    }
    EXPECT_EQ(size, 3'000'001u);
    Sha256 sha256;
    sha256.update(std::span(bytes).first(size));
    EXPECT_EQ(sha256.digest(), file.sha256);
    EXPECT_NE(TestFile::make(3'000'001, 8, [] {}).sha256, file.sha256);
}

TEST(TestFile, IsNotBegunWithoutRoomForIt) {
    EXPECT_THROW(static_cast<void>(TestFile::make(~std::uint64_t{0}, 7, [] { FAIL(); })), Failure);
}

TEST(TestFile, IsGivenUpWhenAsked) {
    struct Enough {};
    EXPECT_THROW(static_cast<void>(TestFile::make(3'000'001, 7, [] { throw Enough(); })), Enough);
}

}  // namespace
}  // namespace joinleaf::app
