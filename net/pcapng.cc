#include <net/pcapng.h>

#include <algorithm>
#include <array>

namespace joinleaf::net {
namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint16_t kEthernet = 1;
constexpr std::uint8_t kNanoseconds = 9;  // 10^-9 s

// Options, of which each block has codes of its own.
constexpr std::uint16_t kComment = 1;
constexpr std::uint16_t kSectionProgram = 4;
constexpr std::uint16_t kInterfaceName = 2;
constexpr std::uint16_t kInterfaceDescription = 3;
constexpr std::uint16_t kInterfaceMac = 6;
constexpr std::uint16_t kInterfaceResolution = 9;
constexpr std::uint16_t kPacketFlags = 2;

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
        has_options_ = true;
    }
    /// Nothing where the text is empty; what is beyond the longest option is cut off.
    void text(std::uint16_t code, std::string_view text) {
        if (text.empty()) return;
        constexpr std::size_t kLongest = UINT16_MAX;
        option(code, std::as_bytes(std::span(text.substr(0, kLongest))));
    }
    void finish() {
        if (has_options_) number(std::uint32_t{0});
        constexpr std::size_t kLength = sizeof(std::uint32_t);
        const auto length = static_cast<std::uint32_t>(out_.size() - begin_ + kLength);
        number(length);
        std::copy(out_.end() - kLength, out_.end(),
                  out_.begin() + static_cast<std::ptrdiff_t>(begin_ + kLength));
    }

private:
    std::vector<std::byte>& out_;
    std::size_t begin_;
    bool has_options_ = false;
};

}  // namespace

void append_pcapng_section(std::string_view program, std::string_view comment,
                           std::vector<std::byte>& out) {
    Block section(kSectionHeader, out);
    section.number(kByteOrder);
    section.number(std::uint16_t{1});  // version 1.0
    section.number(std::uint16_t{0});
    section.number(~std::uint64_t{0});  // of a length that is not known
    section.text(kComment, comment);
    section.text(kSectionProgram, program);
    section.finish();
}

void append_pcapng_interface(const PcapngInterface& interface, std::vector<std::byte>& out) {
    Block block(kInterface, out);
    block.number(kEthernet);
    block.number(std::uint16_t{0});
    block.number(interface.snap);
    block.text(kInterfaceName, interface.name);
    block.text(kInterfaceDescription, interface.description);
    if (interface.mac) {
        block.option(kInterfaceMac, std::as_bytes(std::span(interface.mac->octets())));
    }
    block.option(kInterfaceResolution, std::as_bytes(std::span(&kNanoseconds, 1)));
    block.finish();
}

void append_pcapng_packet(const PcapngPacket& packet, std::vector<std::byte>& out) {
    const auto nanoseconds = static_cast<std::uint64_t>(packet.at.count());
    Block block(kEnhancedPacket, out);
    block.number(packet.interface);
    block.number(static_cast<std::uint32_t>(nanoseconds >> 32));
    block.number(static_cast<std::uint32_t>(nanoseconds));
    block.number(static_cast<std::uint32_t>(packet.octets.size()));
    block.number(packet.length);
    block.octets(packet.octets);
    block.text(kComment, packet.comment);
    if (packet.way != PacketWay::unknown) {
        const std::array<std::byte, 4> flags{static_cast<std::byte>(packet.way)};
        block.option(kPacketFlags, flags);
    }
    block.finish();
}

}  // namespace joinleaf::net
