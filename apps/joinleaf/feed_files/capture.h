// Captures as tcpdump, Wireshark and others write them: pcap and pcapng, read frame by frame.
// libpcap would read most of them, but it refuses sections and interfaces that differ, and does not
// say where a file is broken. Pure.
#pragma once

#include <apps/joinleaf/feed_files/layout.h>

namespace joinleaf::app {

/// What a frame begins with, by the numbers that captures have for it (tcpdump.org/linktypes.html).
enum class LinkType : std::uint16_t {
    null = 0,  ///< of BSD's loopback
    ethernet = 1,
    raw_ip_bsd = 12,
    raw_ip_openbsd = 14,
    raw_ip = 101,
    loop = 108,
    linux_cooked = 113,
    ipv4 = 228,
    linux_cooked_2 = 276,
};

struct CapturedFrame {
    LinkType link = LinkType::ethernet;
    RecordedTime at{};
    std::span<const std::byte> octets;  ///< perhaps fewer than were on the wire
};

/// Of one capture, from its first octet on: pcap or pcapng, of either byte order, with times of any
/// resolution. Sections and interfaces of a pcapng may differ from each other.
class CaptureReader {
public:
    /// Of one block or record. What says that it is larger is taken as damage.
    static constexpr std::size_t kLargest = std::size_t{16} << 20;

    struct Step {
        std::size_t octets = 0;  ///< that are done with
        std::size_t wanted = 0;  ///< octets that the window has to show; 0: go on
        std::optional<CapturedFrame> frame;
        std::string wrong;  ///< as in Taken
    };
    /// Reads one record or block off the front of `window`. With `ended` and an empty window there
    /// is nothing, which is no error.
    [[nodiscard]] Step read(std::span<const std::byte> window, bool ended);

private:
    enum class Kind : std::uint8_t { unknown, pcap, pcapng };
    struct Interface {
        LinkType link = LinkType::ethernet;
        std::uint32_t snap_length = 0;
        std::uint64_t units = 1'000'000;  ///< of time, a second
        std::int64_t offset_seconds = 0;
    };

    Step read_magic(std::span<const std::byte> window, bool ended);
    Step read_record(std::span<const std::byte> window, bool ended);
    Step read_block(std::span<const std::byte> window, bool ended);
    /// What is in a block of this type; empty or what is wrong.
    std::string take_block(std::uint32_t type, std::span<const std::byte> body, Step& step);
    std::string take_interface(std::span<const std::byte> body);
    std::string take_packet(std::span<const std::byte> body, bool obsolete, Step& step);
    std::string take_simple_packet(std::span<const std::byte> body, Step& step);

    template <class T>
    [[nodiscard]] T number(std::span<const std::byte> bytes, std::size_t at) const noexcept;
    [[nodiscard]] RecordedTime time_of(std::uint64_t units, const Interface& interface);

    Kind kind_ = Kind::unknown;
    bool big_endian_ = false;
    std::vector<Interface> interfaces_;  // of the section; a pcap file has one
    RecordedTime last_at_{};             // for packets that have no time of their own
};

/// Whether an input that begins so is a capture.
[[nodiscard]] bool looks_like_capture(std::span<const std::byte> begin) noexcept;

}  // namespace joinleaf::app
