// What --port takes, what it stands for, and what is said of anything else.
#include <controlplane/port_spec.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace joinleaf::controlplane {
namespace {

using testing::AllOf;
using testing::HasSubstr;

PortSpec spec(std::string_view text) {
    const auto parsed = parse_port_spec(text);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error());
    return parsed.value_or(PortSpec{});
}

std::string error(std::string_view text) {
    const auto parsed = parse_port_spec(text);
    EXPECT_FALSE(parsed) << text << " was taken";
    return parsed ? "" : parsed.error();
}

TEST(PortSpec, NullSendsNowhereAndHearsNothing) {
    EXPECT_EQ(spec("null").kind, PortKind::null);
    EXPECT_EQ(spec("null").devargs(3, 1500), "net_null_jl3,no-rx=1");
}

TEST(PortSpec, APciAddressIsTakenAsItIsWithAndWithoutDomain) {
    for (const auto* text : {"0000:3b:00.0", "3b:00.1", "abcd:ef:1F.7"}) {
        EXPECT_EQ(spec(text).kind, PortKind::pci) << text;
        EXPECT_EQ(spec(text).devargs(0, 1500), text);
        EXPECT_FALSE(spec(text).is_kernel_interface());
    }
}

// An interface may be called nearly anything, also what is nearly a PCI address.
TEST(PortSpec, WhatIsNotQuiteAPciAddressIsAnInterface) {
    for (const auto* text : {"3b:00.8", "3g:00.0", "3b-00.0", "03b:00.0", "0000.3b:00.0"}) {
        EXPECT_EQ(spec(text).kind, PortKind::interface) << text;
    }
}

TEST(PortSpec, AKernelInterfaceGoesThroughAfPacket) {
    const auto veth = spec("veth0");
    EXPECT_EQ(veth.kind, PortKind::interface);
    EXPECT_EQ(veth.name, "veth0");
    EXPECT_TRUE(veth.is_kernel_interface());
    EXPECT_EQ(veth.devargs(2, 1500),
              "net_af_packet_jl2,iface=veth0,framesz=2048,blocksz=65536,framecnt=4096,qpairs=1");
}

// A slot must hold the kernel's header and the frame and fit a buffer; blocks hold whole slots and
// whole pages.
TEST(PortSpec, AfPacketSlotsGrowWithTheMtu) {
    EXPECT_THAT(spec("veth0").devargs(0, 1500, 4), HasSubstr(",qpairs=4"));
    EXPECT_THAT(spec("veth0").devargs(0, 1960), HasSubstr("framesz=2048,blocksz=65536,"));
    EXPECT_THAT(spec("veth0").devargs(0, 1961), HasSubstr("framesz=2064,blocksz=528384,"));
    EXPECT_THAT(spec("veth0").devargs(0, 9000),
                HasSubstr("framesz=9088,blocksz=2326528,framecnt=768,"));
    EXPECT_THAT(spec("veth0").devargs(0, 65000), HasSubstr("framesz=65088,"));
    EXPECT_THAT(spec("veth0").devargs(0, 65000), HasSubstr("framecnt=256,"));
}

TEST(PortSpec, XdpNamesAKernelInterface) {
    const auto xdp = spec("xdp:eth1");
    EXPECT_EQ(xdp.kind, PortKind::xdp);
    EXPECT_EQ(xdp.name, "eth1");
    EXPECT_TRUE(xdp.is_kernel_interface());
    EXPECT_EQ(xdp.devargs(1, 1500), "net_af_xdp_jl1,iface=eth1,queue_count=1");
}

TEST(PortSpec, MemifIsAClientUnlessItSaysServer) {
    const auto client = spec("memif:/run/feed.sock");
    EXPECT_EQ(client.kind, PortKind::memif);
    EXPECT_EQ(client.name, "/run/feed.sock");
    EXPECT_FALSE(client.server);
    EXPECT_THAT(client.devargs(0, 1500),
                AllOf(HasSubstr("role=client"), HasSubstr("socket=/run/feed.sock,")));
    const auto server = spec("memif:/run/feed.sock,server");
    EXPECT_TRUE(server.server);
    EXPECT_THAT(server.devargs(0, 1500), HasSubstr("role=server"));
}

TEST(PortSpec, ARingIsNamedAndHasNoDevargs) {
    EXPECT_EQ(spec("ring:a").kind, PortKind::ring);
    EXPECT_EQ(spec("ring:a").name, "a");
    EXPECT_EQ(spec("ring:a").devargs(0, 1500), "");
}

TEST(PortSpec, DevargsAreTakenAsTheyAre) {
    for (const auto* text : {"net_tap0,iface=tap0", "net_null0", "eth_af_packet0,iface=x",
                             "0000:3b:00.0,rx_vec=1", "vdev:net_null0,size=64"}) {
        EXPECT_EQ(spec(text).kind, PortKind::devargs) << text;
        EXPECT_EQ(spec(text).devargs(5, 1500), text);
    }
}

TEST(PortSpec, TheTextIsKeptForMessages) {
    for (const auto* text : {"null", "3b:00.1", "veth0", "xdp:eth1", "memif:/a,server", "ring:a",
                             "net_tap0,iface=tap0"}) {
        EXPECT_EQ(spec(text).text, text);
    }
}

TEST(PortSpecErrors, WhatIsNoPortIsToldWhatOneIs) {
    for (const auto* text : {"", "xdp:", "a/b", "sixteen-letters-x", "xdp:sixteen-letters-x"}) {
        EXPECT_EQ(error(text),
                  fmt::format("'{}' is not a port; give a PCI address, a network interface, "
                              "xdp:NAME, memif:PATH[,server], ring:NAME, null, or DPDK devargs "
                              "such as net_tap0,iface=tap0",
                              text));
    }
}

TEST(PortSpecErrors, ARingNeedsAName) {
    EXPECT_EQ(error("ring:"),
              "'ring:' needs a name, as in ring:a; two ports of one name in one process form a "
              "wire");
}

TEST(PortSpecErrors, AMemifNeedsAnAbsolutePath) {
    for (const auto* text : {"memif:", "memif:feed.sock", "memif:,server"}) {
        EXPECT_EQ(
            error(text),
            fmt::format("'{}' needs an absolute socket path, as in memif:/run/feed.sock", text));
    }
}

TEST(PortSpecErrors, OnlyServerMayFollowAMemifPath) {
    for (const auto* text : {"memif:/a,client", "memif:/a,", "memif:/a,server,x"}) {
        EXPECT_EQ(error(text), fmt::format("'{}': after the path only ',server' may follow, as in "
                                           "memif:/run/feed.sock,server",
                                           text));
    }
}

}  // namespace
}  // namespace joinleaf::controlplane
