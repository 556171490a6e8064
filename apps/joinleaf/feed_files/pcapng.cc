// A feed's datagrams as a capture: headers that are made for them, around net/pcapng.h.
#include <apps/joinleaf/feed_files/pcapng.h>
#include <net/frame.h>
#include <net/pcapng.h>

#include <algorithm>

namespace joinleaf::app {

void append_pcapng_begin(std::string_view program, std::vector<std::byte>& out) {
    net::append_pcapng_section(program, {}, out);
    net::append_pcapng_interface({}, out);
}

void append_pcapng_datagram(const DatagramEnds& ends, std::span<const std::byte> payload,
                            RecordedTime at, std::vector<std::byte>& out) {
    constexpr std::size_t kHeaders =
        sizeof(net::EthernetWire) + net::kIpv4HeaderSize + net::kUdpHeaderSize;
    constexpr MacAddress kSomebody({2, 0, 0, 0, 0, 0});  // locally administered

    std::vector<std::byte> frame(std::max(kHeaders + payload.size(), net::kMinFrameSize));
    const auto built = net::build_udp_frame(
        {.source = kSomebody, .destination = MacAddress::of_group(ends.to.group)},
        {.source = ends.source, .destination = ends.to.group.address()},
        {.source_port = ends.source_port, .destination_port = ends.to.port.value()}, payload,
        frame);
    frame.resize(built.value());

    net::append_pcapng_packet(
        {.at = at, .length = static_cast<std::uint32_t>(frame.size()), .octets = frame}, out);
}

}  // namespace joinleaf::app
