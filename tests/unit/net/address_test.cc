// What a person may type for an address, and what the types refuse.
#include <gtest/gtest.h>
#include <joinleaf/address.h>
#include <joinleaf/session.h>
#include <joinleaf/source_filter.h>

namespace joinleaf {
namespace {

TEST(Ipv4Address, ReadsAndWritesDottedQuads) {
    const auto address = Ipv4Address::parse("10.0.0.1");
    ASSERT_TRUE(address);
    EXPECT_EQ(address->value(), 0x0a000001u);
    EXPECT_EQ(address->to_string(), "10.0.0.1");
    EXPECT_FALSE(Ipv4Address::parse("10.0.0"));
    EXPECT_FALSE(Ipv4Address::parse("10.0.0.256"));
    EXPECT_FALSE(Ipv4Address::parse(""));
}

TEST(GroupAddress, HoldsOnlyMulticast) {
    EXPECT_TRUE(GroupAddress::parse("224.0.0.0"));
    EXPECT_TRUE(GroupAddress::parse("239.255.255.255"));
    EXPECT_FALSE(GroupAddress::parse("223.255.255.255"));
    EXPECT_FALSE(GroupAddress::parse("240.0.0.0"));
    EXPECT_EQ(GroupAddress::parse("10.1.1.1").error(),
              "10.1.1.1 is not a multicast group; use one from 224.0.0.0 to 239.255.255.255");
}

TEST(UdpPort, IsNeverZero) {
    EXPECT_TRUE(UdpPort::parse("65535"));
    EXPECT_FALSE(UdpPort::parse("0"));
    EXPECT_FALSE(UdpPort::parse("65536"));
    EXPECT_FALSE(UdpPort::parse("-1"));
    EXPECT_FALSE(UdpPort::parse("80x"));
}

TEST(MacAddress, OfAGroupKeepsTheLow23Bits) {
    EXPECT_EQ(MacAddress::of_group(GroupAddress::of(224, 0, 0, 22)).to_string(),
              "01:00:5e:00:00:16");
    EXPECT_EQ(MacAddress::of_group(GroupAddress::of(239, 129, 2, 3)),
              MacAddress::of_group(GroupAddress::of(224, 1, 2, 3)));
}

TEST(Ipv4Interface, ReadsAddressAndLength) {
    const auto interface = Ipv4Interface::parse("10.0.0.1/24");
    ASSERT_TRUE(interface);
    EXPECT_TRUE(interface->contains(Ipv4Address(10, 0, 0, 255)));
    EXPECT_FALSE(interface->contains(Ipv4Address(10, 0, 1, 1)));
    EXPECT_FALSE(Ipv4Interface::parse("10.0.0.1"));
    EXPECT_FALSE(Ipv4Interface::parse("10.0.0.1/33"));
    EXPECT_FALSE(Ipv4Interface::parse("239.0.0.1/24"));
}

TEST(GroupEndpoint, ReadsGroupAndPort) {
    const auto endpoint = GroupEndpoint::parse("239.1.1.1:5000");
    ASSERT_TRUE(endpoint);
    EXPECT_EQ(endpoint->to_string(), "239.1.1.1:5000");
    EXPECT_FALSE(GroupEndpoint::parse("239.1.1.1"));
    EXPECT_FALSE(GroupEndpoint::parse("239.1.1.1:0"));
}

TEST(ControlEndpoint, IsAnAddressAndATcpPort) {
    const auto endpoint = ControlEndpoint::parse("192.0.2.1:7000");
    ASSERT_TRUE(endpoint) << endpoint.error();
    EXPECT_EQ(endpoint->address, Ipv4Address(192, 0, 2, 1));
    EXPECT_EQ(endpoint->port, UdpPort::of(7000));
    EXPECT_EQ(endpoint->to_string(), "192.0.2.1:7000");
    EXPECT_EQ(ControlEndpoint::parse("192.0.2.1").error(),
              "'192.0.2.1' has no port; write address and port as in 192.0.2.1:7000");
    EXPECT_EQ(ControlEndpoint::parse("192.0.2.1:0").error(),
              "'0' is not a port; use a number from 1 to 65535");
    EXPECT_EQ(ControlEndpoint::parse("root:7000").error(),
              "'root' is not an IPv4 address; write four numbers as in 10.0.0.1");
}

TEST(UdpEndpoint, IsOneHostAndAPort) {
    const auto endpoint = UdpEndpoint::parse("192.0.2.1:6000");
    ASSERT_TRUE(endpoint) << endpoint.error();
    EXPECT_EQ(endpoint->address, Ipv4Address(192, 0, 2, 1));
    EXPECT_EQ(endpoint->port, UdpPort::of(6000));
    EXPECT_EQ(endpoint->to_string(), "192.0.2.1:6000");
    EXPECT_TRUE(UdpEndpoint::parse("127.0.0.1:6000"));
    EXPECT_EQ(UdpEndpoint::parse("192.0.2.1").error(),
              "'192.0.2.1' has no port; write address and port as in 192.0.2.1:6000");
    EXPECT_EQ(UdpEndpoint::parse("239.1.1.1:6000").error(),
              "239.1.1.1 is not the address of one host; use such as 192.0.2.1");
    EXPECT_FALSE(UdpEndpoint::parse("0.0.0.0:6000"));
    EXPECT_FALSE(UdpEndpoint::parse("192.0.2.1:0"));
}

TEST(SourceFilter, AdmitsByModeAndList) {
    const Ipv4Address five(10, 0, 0, 5);
    const Ipv4Address six(10, 0, 0, 6);
    EXPECT_TRUE(SourceFilter::any().admits(five));
    EXPECT_FALSE(SourceFilter::nothing().admits(five));
    EXPECT_TRUE(SourceFilter::only({five}).admits(five));
    EXPECT_FALSE(SourceFilter::only({five}).admits(six));
    EXPECT_FALSE(SourceFilter(FilterMode::exclude, {five}).admits(five));
    EXPECT_EQ(SourceFilter::only({six, five, six}), SourceFilter::only({five, six}));
}

TEST(Error, StandsForAWinsockName) {
    EXPECT_EQ(winsock_name(std::make_error_code(std::errc::connection_already_in_progress)),
              "WSAEALREADY");
    EXPECT_EQ(winsock_name(std::make_error_code(std::errc::io_error)), "");
}

}  // namespace
}  // namespace joinleaf
