// What may be typed behind `joinleaf`, and the one line that answers what may not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/unit/apps/typed_line.h"

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(RootOptions, NeedPortAddressGroupAndInput) {
    const auto root = accepted<RootOptions>(kRoot);
    EXPECT_EQ(root.port.port, "null");
    EXPECT_EQ(root.port.address.to_string(), "10.0.0.1/24");
    EXPECT_EQ(root.port.mtu, 1500);
    EXPECT_EQ(root.group.to_string(), "239.1.1.1:5000");
    EXPECT_EQ(root.publishing->input, "-");
    EXPECT_EQ(root.scope, 1);
    EXPECT_EQ(root.publishing->packets_per_second, 0u);
    EXPECT_EQ(root.publishing->chunk, std::nullopt);
    EXPECT_TRUE(root.publishing->udp_checksum);
    EXPECT_EQ(root.output, std::nullopt);
    EXPECT_TRUE(root.port.gateway.is_unspecified());
    EXPECT_FALSE(root.common.json);

    EXPECT_EQ(refused("root --address 10.0.0.1/24 --group 239.1.1.1:5000 --input -"),
              "joinleaf root: --port is missing; add it, as in --port eth1; "
              "`joinleaf root --help` tells more");
    EXPECT_THAT(refused("root --port null --group 239.1.1.1:5000 --input -"),
                HasSubstr("--address is missing"));
    EXPECT_THAT(refused("root --port null --address 10.0.0.1/24 --input -"),
                HasSubstr("--group is missing"));
    EXPECT_THAT(refused("root --port null --address 10.0.0.1/24 --group 239.1.1.1:5000"),
                HasSubstr("--input is missing"));
}

TEST(RootOptions, TakeEverythingElse) {
    const auto root = accepted<RootOptions>(
        kRoot +
        "--scope 8 --vlan 100.200 --rate 5000 --chunk 8972 --mtu 9000 --no-udp-checksum "
        "--linger-ms 250 --cpu 1 --json --quiet");
    EXPECT_EQ(root.scope, 8);
    EXPECT_EQ(root.port.vlan, "100.200");
    EXPECT_EQ(root.publishing->packets_per_second, 5000u);
    EXPECT_EQ(root.publishing->chunk, 8972u);
    EXPECT_EQ(root.port.mtu, 9000);
    EXPECT_FALSE(root.publishing->udp_checksum);
    EXPECT_EQ(root.linger, 250ms);
    EXPECT_THAT(root.common.cpus, ElementsAre(1u));
    EXPECT_TRUE(root.common.json);
    EXPECT_TRUE(root.common.quiet);
}

// Each queue has a worker, and each worker a CPU.
TEST(Queues, TakeAsManyCpus) {
    EXPECT_EQ(accepted<LeafOptions>(kAnyLeaf).port.queues, 1u);
    EXPECT_EQ(accepted<LeafOptions>(kAnyLeaf + "--queues 4").port.queues, 4u);
    const auto root = accepted<RootOptions>(kRoot + "--queues 2 --cpu 3 --cpu 5");
    EXPECT_EQ(root.port.queues, 2u);
    EXPECT_THAT(root.common.cpus, ElementsAre(3u, 5u));
    for (const auto& line : {kRoot + "--queues 2 --cpu 3", kAnyLeaf + "--cpu 3 --cpu 5"}) {
        EXPECT_THAT(refused(line), HasSubstr("each queue has a worker on a CPU of its own; name "
                                             "as many, or leave --cpu out"));
    }
    EXPECT_THAT(refused(kAnyLeaf + "--queues 0"),
                HasSubstr("--queues: '0' will not do; use a whole number from 1 to 1024"));
}

// Who does not receive, or does not send, needs no more than IGMP and ARP do.
TEST(Buffers, AreMadeForWhatTheCommandDoes) {
    const auto buffers = [](const PortOptions& port) {
        return std::pair(port.receive_buffers, port.transmit_buffers);
    };
    EXPECT_EQ(buffers(accepted<LeafOptions>(kAnyLeaf).port), std::pair(32768u, 2048u));
    EXPECT_EQ(buffers(accepted<LeafOptions>(kAnyLeaf + "--send f").port),
              std::pair(32768u, 16384u));
    EXPECT_EQ(buffers(accepted<LeafOptions>(kAnyLeaf + "--queues 4").port),
              std::pair(32768u, 8192u));
    EXPECT_EQ(buffers(accepted<LeafOptions>(kAnyLeaf + "--queues 32").port),
              std::pair(65536u, 65536u));
    EXPECT_EQ(buffers(accepted<RootOptions>(kRoot).port), std::pair(2048u, 16384u));
    EXPECT_EQ(
        buffers(accepted<RootOptions>(kRoot + "--receive-buffers 4096 --transmit-buffers 1000000")
                    .port),
        std::pair(4096u, 1000000u));
    EXPECT_THAT(refused(kAnyLeaf + "--queues 2 --receive-buffers 4095"),
                HasSubstr("--receive-buffers: '4095' will not do; use a whole number from 4096"));
}

TEST(BitRate, HasUnits) {
    const auto rate = [](const std::string& text) {
        return accepted<RootOptions>(kRoot + "--bit-rate " + text).publishing->bits_per_second;
    };
    EXPECT_EQ(accepted<RootOptions>(kRoot).publishing->bits_per_second, 0u);
    EXPECT_EQ(rate("1000"), 1000u);
    EXPECT_EQ(rate("64k"), 64'000u);
    EXPECT_EQ(rate("500M"), 500'000'000u);
    EXPECT_EQ(rate("2.5G"), 2'500'000'000u);
    EXPECT_EQ(rate("1000G"), 1'000'000'000'000u);
    EXPECT_EQ(accepted<LeafOptions>(kAnyLeaf + "--send f --bit-rate 1M --rate 7")
                  .publishing->bits_per_second,
              1'000'000u);
    for (const auto* text : {"999", "0", "-5M", "nan", "inf", "1001G", "1T", "M", "1Mbit", "1 G"}) {
        EXPECT_THAT(refused(kRoot + "--bit-rate " + text), Not(HasSubstr("accepted"))) << text;
    }
    EXPECT_THAT(refused(kRoot + "--bit-rate fast"),
                HasSubstr("--bit-rate: 'fast' will not do; use bits per second from 1k to 1000G, "
                          "as in 500M or 2.5G"));
    EXPECT_THAT(refused(kAnyLeaf + "--bit-rate 1M"),
                HasSubstr("--bit-rate is for what is sent; add --send FILE"));
}

TEST(IdleSleep, IsShortEnoughForControlFrames) {
    EXPECT_EQ(accepted<LeafOptions>(kAnyLeaf).common.idle_sleep, 0us);
    EXPECT_EQ(accepted<LeafOptions>(kAnyLeaf + "--idle-sleep-us 200").common.idle_sleep, 200us);
    EXPECT_THAT(refused(kAnyLeaf + "--idle-sleep-us 50001"),
                HasSubstr("--idle-sleep-us: '50001' will not do; use a whole number from 0 to "
                          "50000"));
}

TEST(Recording, IsOffUnlessItIsAskedFor) {
    EXPECT_EQ(accepted<RootOptions>(kRoot).common.recorder.packets, 0u);
    const auto recorder = accepted<RootOptions>(kRoot + "--record 5000").common.recorder;
    EXPECT_EQ(recorder.packets, 5000u);
    EXPECT_EQ(recorder.snap, 128u);
    EXPECT_EQ(recorder.prefix, "joinleaf");
    EXPECT_THAT(recorder.drops, IsEmpty());
    const auto all = accepted<LeafOptions>(kAnyLeaf +
                                           "--record 1 --record-snap 2048 --record-file /var/x "
                                           "--record-on fragment --record-on link_down")
                         .common.recorder;
    EXPECT_EQ(all.snap, 2048u);
    EXPECT_EQ(all.prefix, "/var/x");
    EXPECT_THAT(all.drops, ElementsAre(DropReason::fragment, DropReason::link_down));
}

TEST(Recording, ThatCannotBeIsRefused) {
    EXPECT_THAT(refused(kRoot + "--record 0"), HasSubstr("--record: '0' will not do"));
    EXPECT_THAT(refused(kRoot + "--record 1000001"), HasSubstr("from 1 to 1000000"));
    EXPECT_THAT(refused(kRoot + "--record 1 --record-snap 13"), HasSubstr("from 14 to 2048"));
    EXPECT_THAT(refused(kRoot + "--record-snap 100"),
                HasSubstr("--record-snap is for the recorder; add --record PACKETS"));
    EXPECT_THAT(refused(kRoot + "--record-on fragment"), HasSubstr("--record-on is for"));
    EXPECT_THAT(refused(kRoot + "--record 1 --record-on fire"),
                HasSubstr("--record-on: 'fire' is no reason for which packets are dropped; there "
                          "are truncated_frame, "));
}

TEST(RootOptions, RefuseAChunkLargerThanTheMtuCarries) {
    EXPECT_EQ(accepted<RootOptions>(kRoot + "--chunk 1472").publishing->chunk, 1472u);
    EXPECT_THAT(refused(kRoot + "--chunk 1473"),
                HasSubstr("--chunk: 1473 octets do not fit the MTU of 1500; use at most 1472"));
    EXPECT_THAT(refused(kRoot + "--chunk 600 --mtu 600"), HasSubstr("use at most 572"));
    EXPECT_THAT(refused(kRoot + "--chunk 0"), HasSubstr("--chunk: '0' will not do"));
}

TEST(RootOptions, RefuseAGroupThatIsNone) {
    const std::string head = "root --port null --address 10.0.0.1/24 --input - --group ";
    EXPECT_THAT(refused(head + "10.1.1.1:5000"),
                HasSubstr("joinleaf root: --group: 10.1.1.1 is not a multicast group; use one "
                          "from 224.0.0.0 to 239.255.255.255"));
    EXPECT_THAT(refused(head + "239.1.1.1:0"), HasSubstr("'0' is not a UDP port"));
    EXPECT_THAT(refused(head + "239.1.1.1:65536"), HasSubstr("is not a UDP port"));
    EXPECT_THAT(refused(head + "239.1.1.1"), HasSubstr("has no port"));
    EXPECT_THAT(refused(head + "239.1.1:5000"), HasSubstr("is not an IPv4 address"));
}

TEST(RootOptions, RefuseNumbersOutOfRange) {
    EXPECT_THAT(refused(kRoot + "--scope 256"),
                HasSubstr("--scope: '256' will not do; use a whole number from 0 to 255"));
    EXPECT_THAT(refused(kRoot + "--rate 0"), HasSubstr("--rate: '0' will not do"));
    EXPECT_THAT(refused(kRoot + "--rate 1e6"), HasSubstr("--rate: '1e6' will not do"));
    EXPECT_THAT(refused(kRoot + "--mtu 67"), HasSubstr("--mtu: '67' will not do"));
    EXPECT_THAT(refused(kRoot + "--vlan 4095"), HasSubstr("--vlan: '4095' is not a VLAN"));
    EXPECT_THAT(refused(kRoot + "--vlan 100."), HasSubstr("--vlan: '' is not a VLAN"));
    EXPECT_THAT(refused(kRoot + "--cpu x"), HasSubstr("--cpu: 'x' will not do"));
}

TEST(RootOptions, RefuseAnAddressThatNoPortCanHave) {
    const std::string head = "root --port null --input - --group 239.1.1.1:5000 --address ";
    EXPECT_THAT(refused(head + "10.0.0.1"),
                HasSubstr("--address: '10.0.0.1' has no prefix length"));
    EXPECT_THAT(refused(head + "239.0.0.1/24"), HasSubstr("cannot be a port's own address"));
    EXPECT_THAT(refused(head + "10.0.0.1/33"), HasSubstr("--address: prefix length"));
}

TEST(LeafOptions, JoinAnySourceUnlessSourcesAreNamed) {
    const auto any = accepted<LeafOptions>(kAnyLeaf);
    EXPECT_EQ(any.sources, SourceFilter::any());
    EXPECT_EQ(any.groups.at(0).to_string(), "239.1.1.1:5000");
    EXPECT_EQ(any.count, std::nullopt);
    EXPECT_EQ(any.duration, std::nullopt);

    const auto only = accepted<LeafOptions>(kAnyLeaf + "--source 10.0.0.5 --source 10.0.0.6");
    EXPECT_EQ(only.sources.to_string(), "IN{10.0.0.5,10.0.0.6}");
    const auto but = accepted<LeafOptions>(kAnyLeaf + "--exclude 10.0.0.5");
    EXPECT_EQ(but.sources.to_string(), "EX{10.0.0.5}");
}

TEST(LeafOptions, TakeEverythingElse) {
    const auto leaf =
        accepted<LeafOptions>(kAnyLeaf +
                              "--join 239.1.1.2:5001 --count 7 --duration 0.5 --robustness 3 "
                              "--minimum-igmp-version 3 --require-router-alert");
    EXPECT_EQ(leaf.groups.size(), 2u);
    EXPECT_EQ(leaf.count, 7u);
    EXPECT_EQ(leaf.duration, 500ms);
    EXPECT_EQ(leaf.port.robustness, 3);
    EXPECT_EQ(leaf.port.minimum_igmp_version, 3);
    EXPECT_TRUE(leaf.port.require_router_alert);
}

// RFC 4607: 232/8 has no any-source join.
TEST(LeafOptions, RefuseAnAnySourceJoinInTheSourceSpecificRange) {
    EXPECT_EQ(accepted<LeafOptions>(kLeaf + "--join 232.1.1.1:5000 --source 10.0.0.5")
                  .sources.to_string(),
              "IN{10.0.0.5}");
    EXPECT_THAT(refused(kLeaf + "--join 232.1.1.1:5000"),
                HasSubstr("--join: 232.1.1.1 is source-specific (232.0.0.0/8, RFC 4607) and has "
                          "no any-source join; name its senders with --source"));
    EXPECT_THAT(refused(kLeaf + "--join 232.1.1.1:5000 --exclude 10.0.0.5"),
                HasSubstr("name its senders with --source"));
}

TEST(LeafOptions, RefuseASourceThatCannotSend) {
    EXPECT_THAT(refused(kAnyLeaf + "--source 239.1.1.1"),
                HasSubstr("--source: 239.1.1.1 is a multicast group; a source is one sender's own "
                          "address"));
    EXPECT_THAT(refused(kAnyLeaf + "--source 255.255.255.255"), HasSubstr("cannot send"));
    EXPECT_THAT(refused(kAnyLeaf + "--source 0.0.0.0"), HasSubstr("cannot send"));
    EXPECT_THAT(refused(kAnyLeaf + "--exclude 224.0.0.1"), HasSubstr("--exclude: 224.0.0.1"));
    EXPECT_THAT(refused(kAnyLeaf + "--source 10.0.0.5 --exclude 10.0.0.6"),
                HasSubstr("--source and --exclude contradict each other"));
}

TEST(LeafOptions, RefuseToStopBeforeTheyBegin) {
    EXPECT_THAT(refused(kAnyLeaf + "--count 0"),
                HasSubstr("--count: '0' will not do; use a whole number from 1 up"));
    EXPECT_THAT(refused(kAnyLeaf + "--count 18446744073709551616"), HasSubstr("--count"));
    EXPECT_THAT(refused(kAnyLeaf + "--duration 0"), HasSubstr("--duration: '0' will not do"));
    EXPECT_THAT(refused(kAnyLeaf + "--duration nan"), HasSubstr("--duration: 'nan' will not do"));
    EXPECT_THAT(refused(kAnyLeaf + "--duration 1e99"), HasSubstr("--duration"));
}

TEST(LeafOptions, NeedAGroupAndAnOutput) {
    EXPECT_THAT(refused(kLeaf), HasSubstr("--join is missing"));
    EXPECT_THAT(refused("leaf --port null --address 10.0.0.2/24 --join 239.1.1.1:5000"),
                HasSubstr("--output is missing"));
}

const std::string kAsks = kLeaf + "--root 10.1.0.1:7000 ";
const std::string kListens = kLeaf + "--listen 10.1.0.2:7001 ";
const std::string kRooted = kRoot + "--listen 10.1.0.1:7000 ";

TEST(RootedOptions, ARootListensOrInvitesOrBoth) {
    EXPECT_FALSE(accepted<RootOptions>(kRoot).admission);
    const auto root = accepted<RootOptions>(
        kRooted +
        "--invite 10.1.0.2:7001 --invite 10.1.0.3:7001 --name feed --policy p.toml --scope 4 "
        "--dead-after 0.5 --wait-leaves 2 --tls-psk keys --tls-identity me");
    ASSERT_TRUE(root.admission);
    const auto& admission = *root.admission;
    EXPECT_EQ(admission.listen->to_string(), "10.1.0.1:7000");
    EXPECT_EQ(admission.invite.size(), 2u);
    EXPECT_EQ(admission.scheme, kRootedRooted);
    EXPECT_EQ(admission.wait_leaves, 2u);
    EXPECT_EQ(admission.options.name, "feed");
    EXPECT_EQ(admission.options.policy, "p.toml");
    EXPECT_EQ(admission.options.dead_after, 500ms);
    EXPECT_EQ(admission.options.tls.psk, "keys");
    EXPECT_EQ(admission.options.tls.psk_identity, "me");
    EXPECT_EQ(admission.options.session.group.to_string(), "239.1.1.1:5000");
    EXPECT_EQ(admission.options.session.scope, 4);
    EXPECT_EQ(admission.options.session.fan_out, FanOut::multicast);
    EXPECT_EQ(
        accepted<RootOptions>(kRooted + "--fan-out replicate").admission->options.session.fan_out,
        FanOut::replicate);
    EXPECT_EQ(
        accepted<RootOptions>(kRooted + "--fan-out multicast").admission->options.session.fan_out,
        FanOut::multicast);

    const auto inviting = accepted<RootOptions>(
        kRoot +
        "--invite 10.1.0.2:7001 --scheme rooted-control --tls-cert c --tls-key k --tls-ca "
        "a --tls-peer desk");
    EXPECT_EQ(inviting.admission->listen, std::nullopt);
    EXPECT_EQ(inviting.admission->scheme, kRootedControl);
    EXPECT_EQ(inviting.admission->options.tls.peer_name, "desk");
}

TEST(RootedOptions, ALeafAsksOrWaitsInPlaceOfJoining) {
    EXPECT_FALSE(accepted<LeafOptions>(kAnyLeaf).admission);
    const auto asks = accepted<LeafOptions>(kAsks + "--name desk-7 --caller-data please --count 3");
    EXPECT_EQ(asks.admission->root->to_string(), "10.1.0.1:7000");
    EXPECT_EQ(asks.admission->caller_data.size(), 6u);
    EXPECT_EQ(asks.admission->options.name, "desk-7");
    EXPECT_EQ(asks.count, 3u);
    EXPECT_THAT(asks.groups, IsEmpty());
    EXPECT_EQ(accepted<LeafOptions>(kListens).admission->listen->to_string(), "10.1.0.2:7001");
    EXPECT_EQ(accepted<LeafOptions>(kLeaf + "--listen 0.0.0.0:7001").admission->root, std::nullopt);

    EXPECT_THAT(refused(kLeaf), HasSubstr("or --root or --listen to be let in by a root"));
    EXPECT_THAT(refused(kAsks + "--listen 10.1.0.2:7001"),
                HasSubstr("--root and --listen contradict each other"));
    EXPECT_THAT(refused(kAsks + "--join 239.1.1.1:5000"),
                HasSubstr("--root and --join contradict each other; a root names the group"));
    EXPECT_THAT(refused(kListens + "--source 10.0.0.5"),
                HasSubstr("--listen and --source contradict each other; the root says who sends"));
    EXPECT_THAT(refused(kListens + "--caller-data x"), HasSubstr("ask with --root"));
    EXPECT_THAT(refused(kAsks + "--caller-data " + std::string(1025, 'x')),
                HasSubstr("--caller-data: 1025 octets are too many; use at most 1024"));
}

TEST(RootedOptions, AreOfNoUseWithoutARootThatLetsIn) {
    for (const auto* option :
         {"--name x", "--policy x", "--scheme rooted", "--fan-out replicate", "--dead-after 3",
          "--wait-leaves 1", "--tls-psk x", "--tls-cert x"}) {
        EXPECT_THAT(refused(kRoot + option),
                    HasSubstr("is for a root that lets leaves in; add --listen"));
    }
    for (const auto* option : {"--name x", "--caller-data x", "--tls-psk x", "--tls-ca x"}) {
        EXPECT_THAT(refused(kAnyLeaf + option),
                    HasSubstr("is for a leaf that a root lets in; add --root"));
    }
}

TEST(RootedOptions, RefuseAnAddressThatNobodyHas) {
    EXPECT_THAT(refused(kLeaf + "--root 0.0.0.0:7000"),
                HasSubstr("--root: 0.0.0.0:7000 is nobody's address; name one host"));
    EXPECT_THAT(refused(kLeaf + "--root 239.1.1.1:7000"), HasSubstr("is nobody's address"));
    EXPECT_THAT(refused(kLeaf + "--root 10.1.0.1"), HasSubstr("--root: '10.1.0.1' has no port"));
    EXPECT_THAT(refused(kLeaf + "--root 10.1.0.1:0"), HasSubstr("'0' is not a port"));
    EXPECT_THAT(refused(kRoot + "--listen 239.1.1.1:7000"),
                HasSubstr("--listen: 239.1.1.1:7000 cannot be listened at"));
    EXPECT_THAT(refused(kRoot + "--invite 255.255.255.255:1"), HasSubstr("is nobody's address"));
}

TEST(RootedOptions, RefuseTlsThatProvesNothing) {
    EXPECT_THAT(refused(kRooted + "--tls-psk a --tls-cert b"),
                HasSubstr("--tls-psk and --tls-cert are two kinds of TLS; choose one"));
    EXPECT_THAT(refused(kRooted + "--tls-cert a --tls-ca b"), HasSubstr("--tls-key is missing"));
    EXPECT_THAT(refused(kAsks + "--tls-ca b"), HasSubstr("--tls-cert is missing"));
    EXPECT_THAT(refused(kAsks + "--tls-identity me"), HasSubstr("add --tls-psk FILE"));
    EXPECT_THAT(refused(kAsks + "--tls-peer you"), HasSubstr("add --tls-cert, --tls-key"));
    EXPECT_THAT(refused(kRooted + "--tls-psk a --tls-identity me"),
                HasSubstr("--tls-identity is for who connects; leave it out, or add --invite"));
    EXPECT_THAT(refused(kListens + "--tls-psk a --tls-identity me"),
                HasSubstr("leave it out, or add --root"));
}

TEST(RootedOptions, RefuseWhatASessionCannotBe) {
    EXPECT_THAT(refused(kRooted + "--scheme any-source"),
                HasSubstr("--scheme: 'any-source' will not do; use rooted"));
    EXPECT_THAT(refused("root --port null --address 10.0.0.1/24 --input - --group 232.1.1.1:5000 "
                        "--listen 10.1.0.1:7000 --scheme rooted-control"),
                HasSubstr("--group: 232.1.1.1 is source-specific"));
    EXPECT_THAT(refused(kRooted + "--fan-out broadcast"),
                HasSubstr("--fan-out: 'broadcast' will not do; use multicast"));
    EXPECT_THAT(refused(kRooted + "--fan-out replicate --scheme rooted-control"),
                HasSubstr("--fan-out replicate and --scheme rooted-control contradict each other"));
    EXPECT_THAT(refused(kRooted + "--dead-after 0.01"),
                HasSubstr("--dead-after: '0.01' will not do; use seconds from 0.1 to 3600"));
    EXPECT_THAT(refused(kRooted + "--wait-leaves 0"), HasSubstr("--wait-leaves: '0' will not do"));
    EXPECT_THAT(refused(kRooted + "--name " + std::string(256, 'x')),
                HasSubstr("--name: use at most 255 octets"));
}

const std::string kRootWithoutInput =
    "root --port null --address 10.0.0.1/24 --group 239.1.1.1:5000 --listen 10.1.0.1:7000 ";

// M20: what a root receives of its leaves.
TEST(RootOutput, IsForARootThatLetsLeavesIn) {
    const auto both = accepted<RootOptions>(kRooted + "--output copy");
    EXPECT_EQ(both.output, "copy");
    EXPECT_TRUE(both.publishing);
    const auto receives = accepted<RootOptions>(kRootWithoutInput + "--output -");
    EXPECT_EQ(receives.output, "-");
    EXPECT_FALSE(receives.publishing);

    EXPECT_THAT(refused(kRoot + "--output copy"),
                HasSubstr("--output: nobody sends to a root that lets no leaves in "
                          "(source-specific); add --listen or --invite"));
    EXPECT_THAT(refused(kRootWithoutInput), HasSubstr("--input is missing"));
    EXPECT_THAT(refused(kRootWithoutInput + "--output null --rate 5"),
                HasSubstr("--rate is for what is sent; add --input FILE"));
    EXPECT_THAT(refused(kRootWithoutInput + "--output null --no-udp-checksum"),
                HasSubstr("--no-udp-checksum is for what is sent"));
    EXPECT_THAT(refused(kRootWithoutInput + "--output null --wait-leaves 2"),
                HasSubstr("--wait-leaves puts off what is sent; add --input"));
}

TEST(RootCommands, ComeFromASocketOrStandardInput) {
    EXPECT_EQ(accepted<RootOptions>(kRooted + "--commands /run/feed").admission->commands,
              "/run/feed");
    EXPECT_EQ(
        accepted<RootOptions>(kRootWithoutInput + "--input f --commands -").admission->commands,
        "-");
    EXPECT_THAT(refused(kRooted + "--commands -"),
                HasSubstr("--commands and --input both want standard input; let --commands name a "
                          "path for a socket"));
    EXPECT_THAT(refused(kRooted + "--commands " + std::string(108, 'x')),
                HasSubstr("--commands: 108 octets are too long for a socket's path; use at most "
                          "107"));
    EXPECT_THAT(refused(kRoot + "--commands /run/feed"),
                HasSubstr("--commands is for a root that lets leaves in; add --listen"));
    // Whom it is told to invite it connects to.
    EXPECT_EQ(accepted<RootOptions>(kRooted + "--commands x --tls-psk keys --tls-identity me")
                  .admission->options.tls.psk_identity,
              "me");
}

// M8: a leaf's direction is what it has an output and an input for.
TEST(LeafDirection, IsWhatItHasAnOutputAndAnInputFor) {
    const std::string port = "leaf --port null --address 10.0.0.2/24 --join 239.1.1.1:5000 ";
    EXPECT_EQ(direction_of(accepted<LeafOptions>(port + "--output null")),
              Direction::receiver_only);
    EXPECT_EQ(direction_of(accepted<LeafOptions>(port + "--send f")), Direction::sender_only);
    const auto both = accepted<LeafOptions>(
        port + "--send - --output copy --rate 10 --chunk 100 --no-udp-checksum --scope 4");
    EXPECT_EQ(direction_of(both), Direction::both);
    EXPECT_EQ(both.publishing->input, "-");
    EXPECT_EQ(both.publishing->packets_per_second, 10u);
    EXPECT_EQ(both.publishing->chunk, 100u);
    EXPECT_FALSE(both.publishing->udp_checksum);
    EXPECT_EQ(both.scope, 4);
    EXPECT_EQ(direction_of(accepted<LeafOptions>(
                  "leaf --port null --address 10.0.0.2/24 --root 10.1.0.1:7000 --send f")),
              Direction::sender_only);
    EXPECT_EQ(direction_of(accepted<LeafOptions>(kListens + "--send f")), Direction::both);
}

TEST(LeafSending, NeedsADirectionThatMaySend) {
    EXPECT_THAT(refused(kAnyLeaf + "--send f --source 10.0.0.5"),
                HasSubstr("--send: --source makes this source-specific, where no leaf sends; "
                          "publish with `joinleaf root`"));
    EXPECT_THAT(refused("leaf --port null --address 10.0.0.2/24 --join 232.1.1.1:5000 --send f"),
                HasSubstr("--send: 232.0.0.0/8 makes this source-specific"));
    EXPECT_THAT(refused(kAnyLeaf + "--join 239.1.1.2:5000 --send f"),
                HasSubstr("--send goes to one group; give one --join"));
    EXPECT_THAT(refused(kAnyLeaf + "--send f --chunk 1473"), HasSubstr("use at most 1472"));
}

TEST(LeafSending, RefusesWhatIsForTheOtherDirection) {
    EXPECT_THAT(refused(kAnyLeaf + "--rate 5"),
                HasSubstr("--rate is for what is sent; add --send FILE"));
    EXPECT_THAT(refused(kAnyLeaf + "--scope 5"),
                HasSubstr("--scope is for what is sent; add --send FILE"));
    EXPECT_THAT(refused(kAsks + "--send f --scope 5"),
                HasSubstr("--root and --scope contradict each other; the root says how far"));
    const std::string sends = "leaf --port null --address 10.0.0.2/24 --send f ";
    EXPECT_THAT(refused(sends + "--join 239.1.1.1:5000 --count 3"),
                HasSubstr("--count is for what is received; add --output"));
    EXPECT_THAT(refused(sends + "--join 239.1.1.1:5000 --exclude 10.0.0.5"),
                HasSubstr("--exclude is for what is received; add --output"));
    EXPECT_THAT(refused(sends + "--listen 10.1.0.2:7001"),
                HasSubstr("--output is missing; who is invited receives what the root sends"));
    EXPECT_THAT(refused(sends), HasSubstr("--join is missing"));
}

TEST(Gateway, IsARouterBesideThePort) {
    EXPECT_EQ(accepted<LeafOptions>(kAnyLeaf + "--gateway 10.0.0.254").port.gateway.to_string(),
              "10.0.0.254");
    EXPECT_EQ(accepted<RootOptions>(kRoot + "--gateway 10.0.0.254").port.gateway.to_string(),
              "10.0.0.254");
    EXPECT_THAT(refused(kAnyLeaf + "--gateway 10.1.0.1"),
                HasSubstr("--gateway: 10.1.0.1 is not in the subnet of 10.0.0.2/24; name a router "
                          "beside the port"));
    EXPECT_THAT(refused(kAnyLeaf + "--gateway 239.0.0.1"), HasSubstr("is not in the subnet"));
    EXPECT_THAT(refused(kAnyLeaf + "--gateway 10.0.0.2"),
                HasSubstr("--gateway: 10.0.0.2 is the port's own; name the router's address"));
    EXPECT_THAT(refused(kAnyLeaf + "--gateway 10.0.0.255"), HasSubstr("is nobody's address"));
    EXPECT_THAT(refused(kAnyLeaf + "--gateway 10.0.0.0"), HasSubstr("is nobody's address"));
    EXPECT_THAT(refused(kAnyLeaf + "--gateway router"), HasSubstr("--gateway: 'router'"));
    EXPECT_EQ(accepted<LeafOptions>("leaf --port null --address 10.0.0.2/31 --output null "
                                    "--join 239.1.1.1:5000 --gateway 10.0.0.3")
                  .port.gateway.to_string(),
              "10.0.0.3");
}

TEST(TellOptions, ArePathAndOneCommand) {
    const auto tell = accepted<TellOptions>("tell /run/feed expel desk 7");
    EXPECT_EQ(tell.path, "/run/feed");
    EXPECT_EQ(tell.line, "expel desk 7");
    EXPECT_EQ(std::get<TellOptions>(parse_command_line({"tell", "x", "expel", "a  b"})).line,
              "expel a  b");
    EXPECT_THAT(refused("tell"), HasSubstr("joinleaf tell: name the socket that the root has with "
                                           "--commands"));
    EXPECT_THAT(refused("tell /run/feed"), HasSubstr("say what to tell, as in /run/feed leaves"));
    EXPECT_THAT(refused("tell /run/feed --frob"), HasSubstr("'--frob' is not expected here"));
    const auto two = parse_command_line({"tell", "x", "leaves\nexpel y"});
    EXPECT_THAT(std::get<Message>(two).text, HasSubstr("tell one line at a time"));
}

TEST(StatOptions, NameAProcessInOneWay) {
    const auto plain = accepted<StatOptions>("stat");
    EXPECT_EQ(plain.pid, std::nullopt);
    EXPECT_EQ(plain.path, std::nullopt);
    EXPECT_EQ(plain.interval, std::chrono::seconds(1));
    EXPECT_FALSE(plain.json || plain.once);
    const auto one = accepted<StatOptions>("stat --pid 4711 --interval 0.5 --json");
    EXPECT_EQ(one.pid, 4711u);
    EXPECT_EQ(one.interval, std::chrono::milliseconds(500));
    EXPECT_TRUE(one.json);
    EXPECT_EQ(accepted<StatOptions>("stat /run/x").path, "/run/x");
    EXPECT_THAT(refused("stat /run/x --pid 1"), HasSubstr("PATH and --pid name the process twice"));
    EXPECT_THAT(refused("stat --json --once"), HasSubstr("--json and --once are two forms"));
    EXPECT_THAT(refused("stat --pid 0"), HasSubstr("--pid"));
}

TEST(CommonOptions, MetricsAreServedAtAnAddressOfThisHost) {
    const std::string leaf =
        "leaf --port null --address 10.0.0.1/24 --join 239.1.1.1:5000 --output null";
    EXPECT_EQ(accepted<LeafOptions>(leaf).common.metrics, std::nullopt);
    EXPECT_EQ(accepted<LeafOptions>(leaf + " --metrics 0.0.0.0:9464").common.metrics->to_string(),
              "0.0.0.0:9464");
    EXPECT_THAT(refused(leaf + " --metrics 9464"), HasSubstr("--metrics"));
    EXPECT_THAT(refused(leaf + " --metrics 224.0.0.1:9464"), HasSubstr("cannot be listened at"));
}

TEST(DemoOptions, NeedNothing) {
    const auto demo = accepted<DemoOptions>("demo");
    EXPECT_EQ(demo.file_octets, 256'000'000u);
    EXPECT_EQ(demo.packets_per_second, 0u);
    EXPECT_EQ(accepted<DemoOptions>("demo --size 10 --rate 9").file_octets, 10'000'000u);
    EXPECT_THAT(refused("demo --size 0"), HasSubstr("joinleaf demo: --size: '0' will not do"));
}

TEST(CommonOptions, SplitEalArgumentsAtBlanksOutsideQuotes) {
    const auto parsed = parse_command_line({"demo", "--eal", "--log-level 8  'a b'\"c\" ''"});
    EXPECT_THAT(std::get<DemoOptions>(parsed).common.eal_arguments,
                ElementsAre("--log-level", "8", "a bc", ""));
    EXPECT_THAT(accepted<DemoOptions>("demo").common.eal_arguments, IsEmpty());
    EXPECT_THAT(refused("demo --eal 'open"), HasSubstr("--eal: a quote (') is not closed"));
}

TEST(CommandLine, AnswersWhatItDoesNotKnowWithOneLine) {
    EXPECT_THAT(
        refused(""),
        HasSubstr("joinleaf: say what to do: root, leaf, repair, tell, stat, doctor or demo"));
    EXPECT_THAT(refused("lief"),
                HasSubstr("joinleaf: 'lief' is not a command; begin with root, leaf, "
                          "repair, tell, stat, doctor or demo"));
    EXPECT_THAT(refused("--frob"), HasSubstr("--frob"));
    EXPECT_THAT(refused("leaf --frob"),
                HasSubstr("joinleaf leaf: '--frob' is not expected here; `joinleaf leaf --help`"));
    EXPECT_THAT(refused(kLeaf + "surplus"), HasSubstr("'surplus' is not expected here"));
    EXPECT_THAT(refused("leaf --port"), HasSubstr("--port: its value is missing"));
    EXPECT_THAT(refused(kAnyLeaf + "--port eth2"), HasSubstr("--port: give it once"));
    EXPECT_THAT(refused("demo leaf"), HasSubstr("joinleaf demo: "));
}

TEST(CommandLine, HelpsWithExamplesPortFormsAndExitCodes) {
    const auto help = [](const std::string& line) {
        const auto message = std::get<Message>(typed(line));
        EXPECT_EQ(message.exit_code, kExitDone);
        return message.text;
    };
    EXPECT_THAT(help("--help"), testing::AllOf(HasSubstr("memif:PATH"), HasSubstr("Exit codes:"),
                                               HasSubstr("joinleaf demo")));
    EXPECT_THAT(help("leaf --help"),
                testing::AllOf(HasSubstr("Usage: joinleaf leaf"),
                               HasSubstr("--minimum-igmp-version N"), HasSubstr("Examples:")));
    EXPECT_THAT(help("root -h"),
                testing::AllOf(HasSubstr("Usage: joinleaf root"), HasSubstr("--wait-leaves N")));
    EXPECT_THAT(help("leaf -h"), HasSubstr("--root IP:PORT"));
    EXPECT_THAT(help("--version"), testing::MatchesRegex("joinleaf [0-9]+\\.[0-9]+\\.[0-9]+\n"));
    std::istringstream lines(help("--help") + help("root --help") + help("leaf --help") +
                             help("repair --help") + help("tell --help") + help("demo --help"));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

}  // namespace
}  // namespace joinleaf::app
