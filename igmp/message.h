// IGMP messages of all three versions: bytes to values and back (RFC 1112 App. I, RFC 2236 §2,
// RFC 9776 §4). Pure; any thread.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ratio>
#include <span>
#include <tl/expected.hpp>
#include <vector>

namespace joinleaf::igmp {

/// The unit of IGMP response times.
using Deciseconds = std::chrono::duration<std::int64_t, std::deci>;

enum class Version : std::uint8_t { v1 = 1, v2 = 2, v3 = 3 };

inline constexpr GroupAddress kAllSystems = GroupAddress::of(224, 0, 0, 1);
inline constexpr GroupAddress kAllRouters = GroupAddress::of(224, 0, 0, 2);
inline constexpr GroupAddress kVersion3Routers = GroupAddress::of(224, 0, 0, 22);

enum class MessageType : std::uint8_t {
    query = 0x11,
    v1_report = 0x12,
    v2_report = 0x16,
    v2_leave = 0x17,
    v3_report = 0x22,
};

/// Why a message is not understood. Hosts ignore all of these in silence (RFC 9776 §4, §7.1).
enum class MessageError : std::uint8_t {
    truncated,        ///< too short for a type and a checksum
    bad_checksum,     ///< the octets do not sum up
    unknown_type,     ///< not one of MessageType
    bad_length,       ///< a length that no version gives this type
    bad_group,        ///< the group is not multicast, or a general query lists sources
    bad_source_list,  ///< more sources or records are announced than the message holds
};

/// Checks what is common to all messages: length, checksum over all octets, a known type.
[[nodiscard]] tl::expected<MessageType, MessageError> verify(
    std::span<const std::byte> bytes) noexcept;

/// RFC 9776 §4.1. No group: a general query. Sources only with a group.
struct Query {
    Version version = Version::v3;
    std::optional<GroupAddress> group;
    Deciseconds max_response_time{100};
    bool suppress_router_processing = false;
    std::uint8_t robustness = 0;  ///< QRV, 0 to 7; v3 only
    std::chrono::seconds query_interval{0};
    std::vector<Ipv4Address> sources;  ///< in the order of the message

    friend auto operator<=>(const Query&, const Query&) = default;
};

/// A report of IGMPv1 or IGMPv2.
struct OlderReport {
    Version version = Version::v2;
    GroupAddress group;
    friend auto operator<=>(const OlderReport&, const OlderReport&) = default;
};

enum class RecordType : std::uint8_t {
    is_include = 1,
    is_exclude = 2,
    to_include = 3,
    to_exclude = 4,
    allow = 5,
    block = 6,
};

/// One group record of a version 3 report (RFC 9776 §4.2.4).
struct Record {
    RecordType type = RecordType::is_include;
    GroupAddress group;
    std::vector<Ipv4Address> sources;
    friend auto operator<=>(const Record&, const Record&) = default;
};

struct Report {
    std::vector<Record> records;
    friend auto operator<=>(const Report&, const Report&) = default;
};

/// Reads a query of any version; the length tells which (RFC 9776 §7.1). `bytes` passed verify.
[[nodiscard]] tl::expected<Query, MessageError> parse_query(std::span<const std::byte> bytes);
/// Reads a report of version 1 or 2. `bytes` passed verify.
[[nodiscard]] tl::expected<OlderReport, MessageError> parse_older_report(
    std::span<const std::byte> bytes) noexcept;
/// Reads the group of a version 2 leave. `bytes` passed verify.
[[nodiscard]] tl::expected<GroupAddress, MessageError> parse_leave(
    std::span<const std::byte> bytes) noexcept;
/// Reads a version 3 report. Records of unknown type are left out, auxiliary data and octets
/// behind the last record are skipped (RFC 9776 §4.2.11-13). `bytes` passed verify.
[[nodiscard]] tl::expected<Report, MessageError> parse_report(std::span<const std::byte> bytes);

[[nodiscard]] std::vector<std::byte> emit(const Query& query);
[[nodiscard]] std::vector<std::byte> emit(const OlderReport& report);
[[nodiscard]] std::vector<std::byte> emit(const Report& report);
[[nodiscard]] std::vector<std::byte> emit_leave(GroupAddress group);

/// The fixed part of a version 3 report, and of each of its records.
inline constexpr std::size_t kReportHeaderSize = 8;
inline constexpr std::size_t kRecordHeaderSize = 8;
inline constexpr std::size_t kSourceSize = 4;

/// For whoever builds a version 3 report piece by piece: begin, append records, then finish.
void begin_report(std::vector<std::byte>& message);
void append_record(std::vector<std::byte>& message, RecordType type, GroupAddress group,
                   std::span<const Ipv4Address> sources);
void finish_report(std::vector<std::byte>& message, std::size_t records);

/// Max Resp Code and QQIC: below 128 as it is, else a float of 3 and 4 bits (RFC 9776 §4.1.1).
[[nodiscard]] constexpr std::uint32_t decode_float8(std::uint8_t code) noexcept {
    if (code < 128) return code;
    const std::uint32_t mantissa = code & 0x0fu;
    const std::uint32_t exponent = code >> 4 & 0x07u;
    return (mantissa | 0x10u) << (exponent + 3);
}
/// The largest code whose value is not above `value`.
[[nodiscard]] std::uint8_t encode_float8(std::uint32_t value) noexcept;

}  // namespace joinleaf::igmp
