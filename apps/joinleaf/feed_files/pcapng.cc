// A pcapng file as it is written: draft-ietf-opsawg-pcapng, little-endian.
#include <apps/joinleaf/feed_files/pcapng.h>
#include <net/frame.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint16_t kOptionProgram = 4;
constexpr std::uint16_t kOptionResolution = 9;
constexpr std::uint8_t kNanoseconds = 9;  // 10^-9 s
constexpr std::uint16_t kEthernet = 1;

/// Appends one block; its length stands at both ends and is filled in by finish().
class Block {
public:
    Block(std::uint32_t type, std::vector<std::byte>& out) : out_(out), begin_(out.size()) {
        number(type);
        number(std::uint32_t{0});
    }

    template <class T>
    void number(T value) {
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            out_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
        }
    }
    /// Filled up to a multiple of 32 bits.
    void octets(std::span<const std::byte> bytes) {
        out_.insert(out_.end(), bytes.begin(), bytes.end());
        out_.resize(begin_ + (out_.size() - begin_ + 3) / 4 * 4);
    }
    void option(std::uint16_t code, std::span<const std::byte> value) {
        number(code);
        number(static_cast<std::uint16_t>(value.size()));
        octets(value);
    }
    void end_of_options() { number(std::uint32_t{0}); }
    void finish() {
        constexpr std::size_t kLength = sizeof(std::uint32_t);
        const auto length = static_cast<std::uint32_t>(out_.size() - begin_ + kLength);
        number(length);
        std::copy(out_.end() - kLength, out_.end(),
                  out_.begin() + static_cast<std::ptrdiff_t>(begin_ + kLength));
    }

private:
    std::vector<std::byte>& out_;
    std::size_t begin_;
};

}  // namespace

void append_pcapng_begin(std::string_view program, std::vector<std::byte>& out) {
    Block section(kSectionHeader, out);
    section.number(kByteOrder);
    section.number(std::uint16_t{1});  // version 1.0
    section.number(std::uint16_t{0});
    section.number(~std::uint64_t{0});  // of a length that is not known
    section.option(kOptionProgram, std::as_bytes(std::span(program)));
    section.end_of_options();
    section.finish();

    Block interface(kInterface, out);
    interface.number(kEthernet);
    interface.number(std::uint16_t{0});
    interface.number(std::uint32_t{0});  // whole frames
    interface.option(kOptionResolution, std::as_bytes(std::span(&kNanoseconds, 1)));
    interface.end_of_options();
    interface.finish();
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

    const auto nanoseconds = static_cast<std::uint64_t>(at.count());
    const auto size = static_cast<std::uint32_t>(frame.size());
    Block packet(kEnhancedPacket, out);
    packet.number(std::uint32_t{0});  // of the one interface
    packet.number(static_cast<std::uint32_t>(nanoseconds >> 32));
    packet.number(static_cast<std::uint32_t>(nanoseconds));
    packet.number(size);
    packet.number(size);
    packet.octets(frame);
    packet.finish();
}

}  // namespace joinleaf::app
