// Captures, read frame by frame: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
#include <apps/joinleaf/feed_files/capture.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace joinleaf::app {
namespace {

constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;  // the same in both byte orders
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;

constexpr std::size_t kPcapHeader = 24;
constexpr std::size_t kRecordHeader = 16;
constexpr std::size_t kBlockHeader = 8;    // type and length
constexpr std::size_t kBlockTrailer = 4;   // the length again
constexpr std::size_t kSectionStart = 12;  // as far as the byte order

constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kObsoletePacket = 2;
constexpr std::uint32_t kSimplePacket = 3;
constexpr std::uint32_t kEnhancedPacket = 6;

constexpr std::uint16_t kOptionEnd = 0;
constexpr std::uint16_t kOptionResolution = 9;
constexpr std::uint16_t kOptionOffset = 14;

constexpr std::uint64_t kBillion = 1'000'000'000;

template <class T>
T number_at(std::span<const std::byte> bytes, std::size_t at, bool big_endian) noexcept {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        const std::size_t from = big_endian ? i : sizeof(T) - 1 - i;
        value = static_cast<T>(value << 8 | std::to_integer<T>(bytes[at + from]));
    }
    return value;
}

/// The byte order that makes a magic number one of a pcap file; none: it is not one.
std::optional<bool> pcap_byte_order(std::span<const std::byte> begin) noexcept {
    for (const bool big_endian : {false, true}) {
        const auto magic = number_at<std::uint32_t>(begin, 0, big_endian);
        if (magic == kMicroseconds || magic == kNanoseconds) return big_endian;
    }
    return {};
}

/// Units a second of an interface's if_tsresol; none: more than can be counted.
std::optional<std::uint64_t> units_of(std::uint8_t resolution) noexcept {
    const unsigned power = resolution & 0x7f;
    if ((resolution & 0x80) != 0) {
        if (power > 63) return {};
        return std::uint64_t{1} << power;
    }
    if (power > 19) return {};
    std::uint64_t units = 1;
    for (unsigned i = 0; i < power; ++i) units *= 10;
    return units;
}

CaptureReader::Step wants(std::size_t octets, std::span<const std::byte> window, bool ended,
                          std::string_view what) {
    CaptureReader::Step step{.wanted = octets};
    if (ended && !window.empty()) {
        step.wrong = fmt::format(
            "a {} of {} octets is cut off after {}; the capture was not written to its end: go on "
            "without the rest, or capture again",
            what, octets, window.size());
    }
    return step;
}

CaptureReader::Step broken(std::string what) {
    return {.wrong = std::move(what) + "; the capture is damaged from here on: copy it again"};
}

}  // namespace

bool looks_like_capture(std::span<const std::byte> begin) noexcept {
    if (begin.size() < sizeof(std::uint32_t)) return false;
    return number_at<std::uint32_t>(begin, 0, true) == kSectionHeader || pcap_byte_order(begin);
}

template <class T>
T CaptureReader::number(std::span<const std::byte> bytes, std::size_t at) const noexcept {
    return number_at<T>(bytes, at, big_endian_);
}

CaptureReader::Step CaptureReader::read(std::span<const std::byte> window, bool ended) {
    switch (kind_) {
        case Kind::pcap:
            return read_record(window, ended);
        case Kind::pcapng:
            return read_block(window, ended);
        case Kind::unknown:
            break;
    }
    return read_magic(window, ended);
}

CaptureReader::Step CaptureReader::read_magic(std::span<const std::byte> window, bool ended) {
    if (window.size() < sizeof(std::uint32_t)) {
        return wants(sizeof(std::uint32_t), window, ended, "file header");
    }
    if (number_at<std::uint32_t>(window, 0, true) == kSectionHeader) {
        kind_ = Kind::pcapng;
        return read_block(window, ended);
    }
    const auto big_endian = pcap_byte_order(window);
    if (!big_endian) {
        return {.wrong = fmt::format(
                    "it begins with {:08x}, as neither pcap nor pcapng does; name a capture, or "
                    "its layout with --input-format",
                    number_at<std::uint32_t>(window, 0, true))};
    }
    if (window.size() < kPcapHeader) return wants(kPcapHeader, window, ended, "file header");
    kind_ = Kind::pcap;
    big_endian_ = *big_endian;
    const bool fine = number<std::uint32_t>(window, 0) == kNanoseconds;
    // The upper half tells of frame check sequences, which lie behind what is of interest.
    interfaces_.push_back({.link = LinkType{number<std::uint16_t>(window, big_endian_ ? 22 : 20)},
                           .units = fine ? kBillion : kBillion / 1000});
    return {.octets = kPcapHeader};
}

CaptureReader::Step CaptureReader::read_record(std::span<const std::byte> window, bool ended) {
    if (window.size() < kRecordHeader) return wants(kRecordHeader, window, ended, "record header");
    const auto captured = number<std::uint32_t>(window, 8);
    if (captured > kLargest) return broken(fmt::format("a record of {} octets", captured));
    const std::size_t size = kRecordHeader + captured;
    if (window.size() < size) return wants(size, window, ended, "record");
    const auto& interface = interfaces_.front();
    const std::uint64_t seconds = number<std::uint32_t>(window, 0);
    const std::uint64_t fraction = number<std::uint32_t>(window, 4);
    return {.octets = size,
            .frame = CapturedFrame{interface.link,
                                   time_of(seconds * interface.units + fraction, interface),
                                   window.subspan(kRecordHeader, captured)}};
}

CaptureReader::Step CaptureReader::read_block(std::span<const std::byte> window, bool ended) {
    if (window.size() < kBlockHeader) return wants(kBlockHeader, window, ended, "block");
    const bool is_section = number_at<std::uint32_t>(window, 0, true) == kSectionHeader;
    if (is_section) {
        if (window.size() < kSectionStart) return wants(kSectionStart, window, ended, "section");
        const bool big = number_at<std::uint32_t>(window, kBlockHeader, true) == kByteOrder;
        if (!big && number_at<std::uint32_t>(window, kBlockHeader, false) != kByteOrder) {
            return broken("a section without a byte order");
        }
        big_endian_ = big;
    }
    const auto type = number<std::uint32_t>(window, 0);
    const auto length = number<std::uint32_t>(window, 4);
    if (length % 4 != 0 || length < kBlockHeader + kBlockTrailer || length > kLargest ||
        (is_section && length < kSectionStart + kBlockTrailer)) {
        return broken(fmt::format("a block that says it has {} octets", length));
    }
    if (window.size() < length) return wants(length, window, ended, "block");
    if (number<std::uint32_t>(window, length - kBlockTrailer) != length) {
        return broken(fmt::format("a block of {} octets whose end says {}", length,
                                  number<std::uint32_t>(window, length - kBlockTrailer)));
    }
    Step step{.octets = length};
    if (is_section) {
        interfaces_.clear();
        return step;
    }
    const auto body = window.subspan(kBlockHeader, length - kBlockHeader - kBlockTrailer);
    if (auto wrong = take_block(type, body, step); !wrong.empty()) return broken(std::move(wrong));
    return step;
}

std::string CaptureReader::take_block(std::uint32_t type, std::span<const std::byte> body,
                                      Step& step) {
    switch (type) {
        case kInterface:
            return take_interface(body);
        case kEnhancedPacket:
        case kObsoletePacket:
            return take_packet(body, type == kObsoletePacket, step);
        case kSimplePacket:
            return take_simple_packet(body, step);
        default:
            return {};  // names, statistics, comments, secrets, and what is yet to come
    }
}

std::string CaptureReader::take_interface(std::span<const std::byte> body) {
    constexpr std::size_t kFixed = 8;
    if (body.size() < kFixed) return "an interface block without its fields";
    Interface interface {
        .link = LinkType{number<std::uint16_t>(body, 0)},
        .snap_length = number<std::uint32_t>(body, 4)
    };
    auto options = body.subspan(kFixed);
    while (options.size() >= 4) {
        const auto code = number<std::uint16_t>(options, 0);
        const std::size_t length = number<std::uint16_t>(options, 2);
        if (code == kOptionEnd) break;
        if (options.size() - 4 < length) return "an interface option that runs past its block";
        if (code == kOptionResolution && length == 1) {
            const auto units = units_of(std::to_integer<std::uint8_t>(options[4]));
            if (!units) return "an interface with times finer than can be counted";
            interface.units = *units;
        }
        if (code == kOptionOffset && length == 8) {
            interface.offset_seconds =
                std::bit_cast<std::int64_t>(number<std::uint64_t>(options, 4));
        }
        options = options.subspan(std::min(options.size(), 4 + (length + 3) / 4 * 4));
    }
    interfaces_.push_back(interface);
    return {};
}

// The two differ in their first four octets alone: the obsolete block has 16 bits for the interface
// and 16 for drops.
std::string CaptureReader::take_packet(std::span<const std::byte> body, bool obsolete, Step& step) {
    constexpr std::size_t kFixed = 20;
    if (body.size() < kFixed) return "a packet block without its fields";
    const std::size_t index =
        obsolete ? number<std::uint16_t>(body, 0) : number<std::uint32_t>(body, 0);
    if (index >= interfaces_.size()) {
        return fmt::format("a packet of interface {}, of which nothing was said", index);
    }
    const std::size_t captured = number<std::uint32_t>(body, 12);
    if (captured > body.size() - kFixed) return "a packet that runs past its block";
    const auto& interface = interfaces_[index];
    const std::uint64_t units =
        std::uint64_t{number<std::uint32_t>(body, 4)} << 32 | number<std::uint32_t>(body, 8);
    step.frame =
        CapturedFrame{interface.link, time_of(units, interface), body.subspan(kFixed, captured)};
    return {};
}

// It has neither a time nor a captured length, and is of the first interface.
std::string CaptureReader::take_simple_packet(std::span<const std::byte> body, Step& step) {
    constexpr std::size_t kFixed = 4;
    if (body.size() < kFixed) return "a packet block without its fields";
    if (interfaces_.empty()) return "a packet of interface 0, of which nothing was said";
    const auto& interface = interfaces_.front();
    std::size_t captured = number<std::uint32_t>(body, 0);
    if (interface.snap_length != 0) {
        captured = std::min<std::size_t>(captured, interface.snap_length);
    }
    if (captured > body.size() - kFixed) return "a packet that runs past its block";
    step.frame = CapturedFrame{interface.link, last_at_, body.subspan(kFixed, captured)};
    return {};
}

// Times that no clock shows, in damaged files, become the last that can be counted.
RecordedTime CaptureReader::time_of(std::uint64_t units, const Interface& interface) {
    constexpr std::int64_t kMostSeconds = std::numeric_limits<std::int64_t>::max() / kBillion - 1;
    const auto seconds = static_cast<std::int64_t>(
        std::min<std::uint64_t>(units / interface.units, std::uint64_t{kMostSeconds}));
    const auto offset = std::clamp(interface.offset_seconds, -kMostSeconds, kMostSeconds);
    const auto whole = std::clamp<std::int64_t>(seconds + offset, 0, kMostSeconds);
    __extension__ using Wide = unsigned __int128;
    const auto fraction =
        static_cast<std::int64_t>(Wide{units % interface.units} * kBillion / interface.units);
    last_at_ = std::chrono::seconds(whole) + std::chrono::nanoseconds(fraction);
    return last_at_;
}

}  // namespace joinleaf::app
