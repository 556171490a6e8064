// What the program says: the JSON lines that other programs read, and the lines for a person.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/process.h>
#include <apps/joinleaf/report.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const GroupEndpoint kGroup{GroupAddress::of(232, 1, 1, 1), UdpPort::of(5000)};

PortStatus port() {
    PortStatus port;
    port.spec = "eth0";
    port.driver = "net_af_packet";
    port.mac = MacAddress({2, 0, 0, 0, 0, 1});
    port.address = {Ipv4Address(10, 77, 0, 12), 24};
    port.mtu = 1500;
    port.link_up = true;
    port.filter_mode = MulticastFilterMode::promiscuous;
    port.offloads = {"vlan_strip"};
    port.counters.received = 10;
    port.counters.received_bytes = 1000;
    port.counters.delivered = 7;
    port.counters.delivered_bytes = 700;
    return port;
}

Connected connected() {
    return {.group = kGroup,
            .sources = SourceFilter::only({Ipv4Address(10, 77, 0, 13)}),
            .at = Instant(123456789ns),
            .connect_ms = 0.42,
            .since_start_ms = 313};
}

std::uint64_t& drops(PortStatus& status, DropReason reason) {
    return status.counters.drops[static_cast<std::size_t>(reason)];
}

TEST(ReportJson, Started) {
    EXPECT_EQ(json_of(Role::leaf, {.port = port(), .hugepages = false, .start_ms = 312.5}).dump(),
              R"({"event":"started","role":"leaf","port":"eth0","driver":"net_af_packet",)"
              R"("mac":"02:00:00:00:00:01","address":"10.77.0.12/24","mtu":1500,)"
              R"("filter_mode":"promiscuous","hugepages":false,"start_ms":312.5})");
}

TEST(ReportJson, Connected) {
    EXPECT_EQ(json_of(connected()).dump(),
              R"({"event":"connected","group":"232.1.1.1:5000","sources":"IN{10.77.0.13}",)"
              R"("at_ns":123456789,"connect_ms":0.42,"since_start_ms":313.0})");
}

Peer peer() {
    return {.endpoint = {Ipv4Address(192, 0, 2, 12), UdpPort::of(40312)},
            .name = "desk-7",
            .identity = "alice",
            .data_address = Ipv4Address(10, 77, 0, 12)};
}

TEST(ReportJson, ConnectedToARoot) {
    auto session = connected();
    session.session = SessionFacts{.root = peer(), .user_data = "welcome"};
    EXPECT_THAT(json_of(session).dump(),
                HasSubstr(R"("since_start_ms":313.0,"root":"192.0.2.12:40312","name":"desk-7",)"
                          R"("identity":"alice","root_address":"10.77.0.12",)"
                          R"("callee_data":"welcome"})"));
    session.session->invited = true;
    EXPECT_EQ(json_of(session)["caller_data"], "welcome");
    EXPECT_THAT(text_of(Role::leaf, session),
                HasSubstr("let in by desk-7 at 192.0.2.12:40312, proven to be alice: the report"));
}

TEST(ReportJson, LeavesOfARoot) {
    const LeafFacts leaf{.number = 3, .peer = peer(), .caller_data = "please"};
    EXPECT_EQ(json_of(Listening{peer().endpoint, true}).dump(),
              R"({"event":"listening","at":"192.0.2.12:40312","tls":true})");
    EXPECT_EQ(json_of_joined(leaf).dump(),
              R"({"event":"leaf_joined","leaf":3,"name":"desk-7","identity":"alice",)"
              R"("endpoint":"192.0.2.12:40312","data_address":"10.77.0.12","invited":false,)"
              R"("caller_data":"please"})");
    EXPECT_EQ(json_of_left(leaf, "timed_out").dump(),
              R"({"event":"leaf_left","leaf":3,"name":"desk-7","reason":"timed_out"})");
    EXPECT_EQ(json_of_refused(peer(), "rule x denies it").dump(),
              R"({"event":"refused","endpoint":"192.0.2.12:40312","name":"desk-7",)"
              R"("identity":"alice","why":"rule x denies it"})");
    Summary summary{.port = port(), .leaves = LeafCounts{4, 1, 2, 3}};
    EXPECT_EQ(json_of(Role::root, summary)["leaves"].dump(),
              R"({"joined":4,"left":1,"refused":2,"now":3})");
}

TEST(ReportJson, SendersToARoot) {
    Summary summary{.port = port()};
    EXPECT_FALSE(json_of(Role::root, summary).contains("senders"));
    summary.senders = {{.address = Ipv4Address(10, 77, 0, 12),
                        .name = "desk-7",
                        .is_leaf = true,
                        .datagrams = 3,
                        .octets = 300},
                       {.datagrams = 1, .octets = 10}};
    EXPECT_EQ(json_of(Role::root, summary)["senders"].dump(),
              R"([{"address":"10.77.0.12","name":"desk-7","is_leaf":true,"datagrams":3,)"
              R"("octets":300},{"address":null,"name":"","is_leaf":false,"datagrams":1,)"
              R"("octets":10}])");
}

TEST(ReportText, BothDirections) {
    Summary summary{.seconds = 2, .port = port(), .moves_besides = true};
    summary.port.counters.sent = 5;
    summary.port.counters.sent_bytes = 500;
    EXPECT_THAT(text_of(Role::leaf, summary),
                ElementsAre(HasSubstr("delivered 7 datagrams, 700 octets in 2.00 s"),
                            "sent 5 datagrams, 500 octets", "lost nothing on this port"));
    summary.senders = {{.address = Ipv4Address(10, 77, 0, 12),
                        .name = "desk-7",
                        .is_leaf = true,
                        .datagrams = 3,
                        .octets = 300},
                       {.address = Ipv4Address(10, 77, 0, 99), .datagrams = 2, .octets = 200},
                       {.datagrams = 2, .octets = 200}};
    EXPECT_THAT(
        text_of(Role::root, summary),
        ElementsAre(HasSubstr("sent 5 datagrams, 500 octets"), "received 7 datagrams, 700 octets",
                    "  from desk-7 at 10.77.0.12: 3 datagrams, 300 octets",
                    "  from 10.77.0.99, no leaf: 2 datagrams, 200 octets",
                    "  from others, no leaf: 2 datagrams, 200 octets",
                    "lost nothing on this port"));
    summary.moves_its_own = false;
    EXPECT_EQ(text_of(Role::root, summary).front(), "received 7 datagrams, 700 octets");
}

TEST(ReportText, WhereALeafSends) {
    auto leaf = connected();
    leaf.sends_to = "10.77.0.11:5000";
    EXPECT_EQ(json_of(leaf)["sends_to"], "10.77.0.11:5000");
    EXPECT_THAT(text_of(Role::leaf, leaf), testing::EndsWith("; sends to 10.77.0.11:5000"));
    leaf.sources = SourceFilter::nothing();
    EXPECT_EQ(text_of(Role::leaf, leaf),
              "sends to 10.77.0.11:5000; it receives nothing and joins no group");
}

TEST(ReportText, LeavesOfARoot) {
    LeafFacts leaf{.number = 3, .peer = peer()};
    EXPECT_EQ(text_of_joined(leaf),
              "leaf 3 has joined: desk-7 at 192.0.2.12:40312, proven to be alice, data address "
              "10.77.0.12");
    leaf.caller_data = "please";
    EXPECT_THAT(text_of_joined(leaf), testing::EndsWith("10.77.0.12, 'please'"));
    leaf.caller_data = "\x1b[2Jleaf 4 has joined";
    EXPECT_THAT(text_of_joined(leaf), testing::EndsWith("10.77.0.12, with 21 octets of data"));
    EXPECT_EQ(text_of_left(leaf, "closed"),
              "leaf 3 has left (closed): desk-7 at 192.0.2.12:40312, proven to be alice");
    EXPECT_EQ(text_of(leaf),
              "leaf 3: desk-7 at 192.0.2.12:40312, proven to be alice, data address 10.77.0.12");
    leaf.peer.name.clear();
    leaf.peer.identity.clear();
    EXPECT_EQ(text_of_left(leaf, "reset"), "leaf 3 has left (reset): 192.0.2.12:40312");
    EXPECT_EQ(text_of(Role::root, Listening{peer().endpoint, true}),
              "lets leaves in at 192.0.2.12:40312 (TLS 1.3)");
    EXPECT_EQ(text_of(Role::leaf, Listening{peer().endpoint, false}),
              "waits for an invitation at 192.0.2.12:40312 (without TLS)");
}

// M25: the reasons that come with FD_CLOSE, in a word.
TEST(CloseReason, IsNamedAsTheRoleSeesIt) {
    const auto at = [](Role role, std::errc reason) {
        return close_reason(role, std::make_error_code(reason));
    };
    EXPECT_EQ(close_reason(Role::root, {}), "closed");
    EXPECT_EQ(close_reason(Role::leaf, {}), "session_closed");
    EXPECT_EQ(at(Role::leaf, std::errc::connection_aborted), "expelled");
    EXPECT_EQ(at(Role::root, std::errc::timed_out), "timed_out");
    EXPECT_EQ(at(Role::root, std::errc::network_down), "network_down");
    EXPECT_EQ(at(Role::leaf, std::errc::connection_reset), "reset");
}

TEST(ReportJson, StatusNamesTheDropsThatAreNotZero) {
    auto status = port();
    drops(status, DropReason::no_subscriber) = 3;
    EXPECT_EQ(json_of(Progress{.seconds = 1,
                               .counters = status.counters,
                               .packets_per_second = 7,
                               .bits_per_second = 5600})
                  .dump(),
              R"({"event":"status","seconds":1.0,"received":10,"delivered":7,)"
              R"("delivered_bytes":700,"sent":0,"sent_bytes":0,"pps":7.0,"bps":5600.0,)"
              R"("drops":{"no_subscriber":3}})");
}

TEST(ReportJson, Summary) {
    auto join = connected();
    Summary summary{.seconds = 2,
                    .port = port(),
                    .joins = {join},
                    .workers = {{.lcore = 1, .turns = 90, .busy = 1s, .running = 3s}, {.lcore = 2}},
                    .resident_mb = 99.5};
    summary.port.querier.heard = true;
    summary.port.querier.address = Ipv4Address(10, 77, 0, 1);
    summary.port.querier.version = 3;
    EXPECT_EQ(
        json_of(Role::leaf, summary).dump(),
        R"({"event":"summary","role":"leaf","seconds":2.0,"received":10,"received_bytes":1000,)"
        R"("transmitted":0,"delivered":7,"delivered_bytes":700,"sent":0,"sent_bytes":0,)"
        R"("pps":0.0,"bps":0.0,"missed":0,"errors":0,"no_mbuf":0,"drops":{},)"
        R"("joins":[{"group":"232.1.1.1:5000","sources":"IN{10.77.0.13}",)"
        R"("connected_at_ns":123456789,"connect_ms":0.42,"first_datagram_ms":null,"health":null}],)"
        R"("port":{"spec":"eth0","driver":"net_af_packet","mac":"02:00:00:00:00:01",)"
        R"("address":"10.77.0.12/24","mtu":1500,"filter_mode":"promiscuous","link_up":true,)"
        R"("offloads":["vlan_strip"],"queues":1,"steered_groups":0},)"
        R"("querier":{"heard":true,"address":"10.77.0.1","version":3,"version_in_force":3},"igmp":{},)"
        R"("workers":[{"lcore":1,"busy_share":0.333,"turns":90},)"
        R"({"lcore":2,"busy_share":0.0,"turns":0}],"resident_mb":99.5})");
    summary.joins[0].first_datagram_ms = 12.25;
    EXPECT_EQ(json_of(Role::leaf, summary)["joins"][0]["first_datagram_ms"], 12.25);
}

TEST(ReportText, TellsLossesApartFromFramesOfOthers) {
    Summary summary{.seconds = 2, .port = port(), .joins = {connected()}};
    drops(summary.port, DropReason::other_mac) = 5;
    EXPECT_EQ(losses(summary.port.counters), 0u);
    EXPECT_THAT(text_of(Role::leaf, summary),
                ElementsAre(HasSubstr("delivered 7 datagrams, 700 octets in 2.00 s"),
                            "lost nothing on this port", HasSubstr("  5 other_mac: ")));
    drops(summary.port, DropReason::receive_queue_full) = 2;
    summary.port.counters.missed = 1;
    EXPECT_EQ(losses(summary.port.counters), 3u);
    EXPECT_THAT(text_of(Role::leaf, summary),
                ElementsAre(HasSubstr("delivered"), HasSubstr("  1 missed: "),
                            HasSubstr("other_mac"), HasSubstr("  2 receive_queue_full: ")));
}

TEST(ReportText, SpeaksOfWhatTheRoleDoes) {
    Progress progress{.seconds = 3, .counters = port().counters, .packets_per_second = 30'800};
    EXPECT_EQ(text_of(Role::leaf, progress), "   3 s  delivered 7  30.8 kpps, 0 bit/s  lost 0");
    progress.counters.sent = 1'234'567;
    EXPECT_THAT(text_of(Role::root, progress), HasSubstr("sent 1,234,567"));
    EXPECT_EQ(text_of(Role::root, connected()), "publishes to 232.1.1.1:5000");
    EXPECT_THAT(text_of(Role::leaf, connected()),
                HasSubstr("joined 232.1.1.1:5000 for IN{10.77.0.13}: the report left 0.42 ms"));
}

/// A reporter that writes to memory.
class Spoken {
public:
    explicit Spoken(Reporter::Options options) {
        options.command = "joinleaf leaf";
        options.prefix = "leaf: ";
        options.errors_to = text_file_;
        options.json_to = json_file_;
        options.text_to = text_file_;
        reporter_.emplace(std::move(options));
    }
    Spoken(const Spoken&) = delete;
    Spoken& operator=(const Spoken&) = delete;
    ~Spoken() {
        reporter_.reset();
        std::fclose(json_file_);
        std::fclose(text_file_);
        std::free(json_);
        std::free(text_);
    }
    Reporter* operator->() { return &*reporter_; }
    std::string json() {
        std::fflush(json_file_);
        return {json_, json_size_};
    }
    std::string text() {
        std::fflush(text_file_);
        return {text_, text_size_};
    }

private:
    char* json_ = nullptr;
    char* text_ = nullptr;
    std::size_t json_size_ = 0;
    std::size_t text_size_ = 0;
    std::FILE* json_file_ = open_memstream(&json_, &json_size_);
    std::FILE* text_file_ = open_memstream(&text_, &text_size_);
    std::optional<Reporter> reporter_;
};

TEST(Reporter, ForAPersonSaysNoJson) {
    Spoken said(Reporter::Options{});
    said->json({{"event", "closed"}});
    said->text("hello");
    said->note("no hugepages");
    said->live("not a terminal");
    EXPECT_EQ(said.json(), "");
    EXPECT_EQ(said.text(), "leaf: hello\nleaf: no hugepages\n");
}

TEST(Reporter, WithJsonSaysOnlyErrorsInPlainText) {
    Spoken said(Reporter::Options{.json = true});
    said->text("hello");
    said->note("no hugepages");
    said->error("it broke");
    EXPECT_EQ(said.json(),
              "{\"event\":\"note\",\"what\":\"no hugepages\"}\n"
              "{\"event\":\"error\",\"what\":\"it broke\"}\n");
    EXPECT_EQ(said.text(), "joinleaf leaf: it broke\n");
}

TEST(Reporter, WhenQuietSaysErrorsAlone) {
    Spoken said(Reporter::Options{.quiet = true, .live = true});
    said->text("hello");
    said->note("no hugepages");
    said->live("1 s");
    EXPECT_EQ(said.text(), "");
    said->error("it broke");
    EXPECT_EQ(said.text(), "joinleaf leaf: it broke\n");
}

TEST(Reporter, AnswersCommandsAsTheyAreAlsoWhenQuiet) {
    Spoken quiet(Reporter::Options{.quiet = true});
    quiet->answer("leaf 1\nok: 1 leaf\n");
    EXPECT_EQ(quiet.text(), "leaf 1\nok: 1 leaf\n");
    Spoken json(Reporter::Options{.json = true});
    json->answer("ok: 0 leaves\n");
    EXPECT_EQ(json.json(), "{\"event\":\"answer\",\"what\":\"ok: 0 leaves\\n\"}\n");
    EXPECT_EQ(json.text(), "");
}

TEST(Reporter, WritesTheLiveLineOverItself) {
    Spoken said(Reporter::Options{.live = true});
    said->live("1 s");
    said->live("2 s");
    said->text("done");
    EXPECT_EQ(said.text(), "\r\x1b[K1 s\r\x1b[K2 s\r\x1b[Kleaf: done\n");
}

TEST(Reporter, SurvivesAFileNameThatIsNotUtf8) {
    Spoken said(Reporter::Options{.json = true});
    said->error("cannot read \xff");
    EXPECT_THAT(said.json(), HasSubstr("cannot read \xef\xbf\xbd"));
}

TEST(Failures, EndWithTheirCure) {
    const auto code = std::make_error_code(std::errc::no_such_device);
    EXPECT_EQ(in_one_line(std::system_error(code, "there is no 'x'; 'ip link' lists what is")),
              "there is no 'x'; 'ip link' lists what is");
    EXPECT_EQ(in_one_line(std::system_error(code, "port 'x' did not open")),
              "port 'x' did not open: No such device");
    EXPECT_EQ(in_one_line(Failure("no; really")), "no; really");
    EXPECT_EQ(system_failure("read", "file.bin", ENOENT, "name another").what(),
              std::string("cannot read file.bin: No such file or directory; name another"));
}

TEST(Numbers, AreReadable) {
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1'000), "1,000");
    EXPECT_EQ(grouped(1'234'567), "1,234,567");
    EXPECT_EQ(packet_rate(0), "0 pps");
    EXPECT_EQ(packet_rate(999.6), "1.00 kpps");
    EXPECT_EQ(packet_rate(1'234'000), "1.23 Mpps");
    EXPECT_EQ(bit_rate(346e6), "346 Mbit/s");
    EXPECT_EQ(bit_rate(14.54e9), "14.5 Gbit/s");
    EXPECT_EQ(per_second(10, 0), 0);
    EXPECT_EQ(per_second(10, 4), 2.5);
}

TEST(ResidentMemory, IsReadFromTheKernelsText) {
    EXPECT_DOUBLE_EQ(resident_megabytes("VmPeak:\t  9 kB\nVmRSS:\t   250000 kB\n"), 256.0);
    EXPECT_EQ(resident_megabytes("Name:\tx\n"), 0);
    EXPECT_GT(resident_megabytes(), 0);
}

}  // namespace
}  // namespace joinleaf::app
