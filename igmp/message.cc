// Wire structs and the parsers and emitters built on them.
#include <igmp/message.h>
#include <net/big_endian.h>
#include <net/checksum.h>

#include <algorithm>

namespace joinleaf::igmp {
namespace {

using net::BigEndian;
using net::load;
using net::store;

/// The eight octets that IGMPv1, IGMPv2 and the head of a version 3 query share.
struct ShortWire {
    std::uint8_t type;
    std::uint8_t max_response_code;
    BigEndian<std::uint16_t> checksum;
    BigEndian<std::uint32_t> group;
};
static_assert(sizeof(ShortWire) == 8 && alignof(ShortWire) == 1);

/// What a version 3 query adds (RFC 9776 §4.1).
struct QueryTailWire {
    std::uint8_t flags_s_qrv;
    std::uint8_t qqic;
    BigEndian<std::uint16_t> sources;
};
static_assert(sizeof(QueryTailWire) == 4 && alignof(QueryTailWire) == 1);

struct ReportWire {
    std::uint8_t type;
    std::uint8_t reserved;
    BigEndian<std::uint16_t> checksum;
    BigEndian<std::uint16_t> flags;
    BigEndian<std::uint16_t> records;
};
static_assert(sizeof(ReportWire) == kReportHeaderSize && alignof(ReportWire) == 1);

struct RecordWire {
    std::uint8_t type;
    std::uint8_t aux_words;
    BigEndian<std::uint16_t> sources;
    BigEndian<std::uint32_t> group;
};
static_assert(sizeof(RecordWire) == kRecordHeaderSize && alignof(RecordWire) == 1);

constexpr std::size_t kChecksumOffset = 2;
constexpr std::size_t kShortest = 4;
constexpr std::size_t kQueryV3Size = sizeof(ShortWire) + sizeof(QueryTailWire);
constexpr std::uint8_t kSuppressFlag = 0x08;
constexpr std::uint8_t kRobustnessMask = 0x07;

std::vector<Ipv4Address> load_sources(std::span<const std::byte> bytes) {
    std::vector<Ipv4Address> sources;
    sources.reserve(bytes.size() / kSourceSize);
    for (; !bytes.empty(); bytes = bytes.subspan(kSourceSize)) {
        sources.emplace_back(load<BigEndian<std::uint32_t>>(bytes.data()));
    }
    return sources;
}

void append_sources(std::vector<std::byte>& message, std::span<const Ipv4Address> sources) {
    std::size_t at = message.size();
    message.resize(at + sources.size() * kSourceSize);
    for (const Ipv4Address source : sources) {
        store(message.data() + at, BigEndian<std::uint32_t>(source.value()));
        at += kSourceSize;
    }
}

void fill_checksum(std::span<std::byte> message) {
    store(message.data() + kChecksumOffset, BigEndian<std::uint16_t>(net::checksum(message)));
}

std::vector<std::byte> emit_short(MessageType type, std::uint8_t code, std::uint32_t group) {
    std::vector<std::byte> message(sizeof(ShortWire));
    ShortWire wire{};
    wire.type = static_cast<std::uint8_t>(type);
    wire.max_response_code = code;
    wire.group = group;
    store(message.data(), wire);
    fill_checksum(message);
    return message;
}

tl::expected<GroupAddress, MessageError> group_of_short(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < sizeof(ShortWire)) return tl::unexpected(MessageError::bad_length);
    const auto group = GroupAddress::from(Ipv4Address(load<ShortWire>(bytes.data()).group));
    if (!group) return tl::unexpected(MessageError::bad_group);
    return *group;
}

}  // namespace

tl::expected<MessageType, MessageError> verify(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < kShortest) return tl::unexpected(MessageError::truncated);
    if (!net::checksum_is_valid(bytes)) return tl::unexpected(MessageError::bad_checksum);
    switch (const auto type = static_cast<MessageType>(bytes[0])) {
        case MessageType::query:
        case MessageType::v1_report:
        case MessageType::v2_report:
        case MessageType::v2_leave:
        case MessageType::v3_report:
            return type;
    }
    return tl::unexpected(MessageError::unknown_type);
}

tl::expected<Query, MessageError> parse_query(std::span<const std::byte> bytes) {
    if (bytes.size() != sizeof(ShortWire) && bytes.size() < kQueryV3Size) {
        return tl::unexpected(MessageError::bad_length);
    }
    const auto wire = load<ShortWire>(bytes.data());
    Query query;
    if (bytes.size() == sizeof(ShortWire) && wire.max_response_code == 0) {
        query.version = Version::v1;  // always general and 10 s (RFC 1112 App. I, RFC 9776 §7.2.1)
        return query;
    }
    if (wire.group != 0) {
        const auto group = GroupAddress::from(Ipv4Address(wire.group));
        if (!group) return tl::unexpected(MessageError::bad_group);
        query.group = *group;
    }
    if (bytes.size() == sizeof(ShortWire)) {
        query.version = Version::v2;  // the code is linear over its whole range
        query.max_response_time = Deciseconds(wire.max_response_code);
        return query;
    }
    const auto tail = load<QueryTailWire>(bytes.data() + sizeof(ShortWire));
    const auto list = bytes.subspan(kQueryV3Size);
    const std::size_t list_size = std::size_t{tail.sources} * kSourceSize;
    if (list_size > list.size()) return tl::unexpected(MessageError::bad_source_list);
    if (!query.group && list_size != 0) return tl::unexpected(MessageError::bad_group);
    query.max_response_time = Deciseconds(decode_float8(wire.max_response_code));
    query.suppress_router_processing = (tail.flags_s_qrv & kSuppressFlag) != 0;
    query.robustness = tail.flags_s_qrv & kRobustnessMask;
    query.query_interval = std::chrono::seconds(decode_float8(tail.qqic));
    query.sources = load_sources(list.first(list_size));
    return query;
}

tl::expected<OlderReport, MessageError> parse_older_report(
    std::span<const std::byte> bytes) noexcept {
    const auto group = group_of_short(bytes);
    if (!group) return tl::unexpected(group.error());
    const bool is_v1 = static_cast<MessageType>(bytes[0]) == MessageType::v1_report;
    return OlderReport{is_v1 ? Version::v1 : Version::v2, *group};
}

tl::expected<GroupAddress, MessageError> parse_leave(std::span<const std::byte> bytes) noexcept {
    return group_of_short(bytes);
}

tl::expected<Report, MessageError> parse_report(std::span<const std::byte> bytes) {
    if (bytes.size() < sizeof(ReportWire)) return tl::unexpected(MessageError::bad_length);
    const std::size_t count = load<ReportWire>(bytes.data()).records;
    auto rest = bytes.subspan(sizeof(ReportWire));
    Report report;
    for (std::size_t i = 0; i < count; ++i) {
        if (rest.size() < sizeof(RecordWire)) return tl::unexpected(MessageError::bad_source_list);
        const auto wire = load<RecordWire>(rest.data());
        rest = rest.subspan(sizeof(RecordWire));
        const std::size_t list_size = std::size_t{wire.sources} * kSourceSize;
        const std::size_t aux_size = std::size_t{wire.aux_words} * 4;
        if (rest.size() < list_size + aux_size) {
            return tl::unexpected(MessageError::bad_source_list);
        }
        const auto list = rest.first(list_size);
        rest = rest.subspan(list_size + aux_size);
        if (wire.type < 1 || wire.type > 6) continue;
        const auto group = GroupAddress::from(Ipv4Address(wire.group));
        if (!group) return tl::unexpected(MessageError::bad_group);
        report.records.push_back({static_cast<RecordType>(wire.type), *group, load_sources(list)});
    }
    return report;
}

std::vector<std::byte> emit(const Query& query) {
    const std::uint32_t group = query.group ? query.group->value() : 0;
    const auto tenths = static_cast<std::uint32_t>(query.max_response_time.count());
    if (query.version == Version::v1) return emit_short(MessageType::query, 0, 0);
    if (query.version == Version::v2) {
        const auto code = static_cast<std::uint8_t>(std::clamp(tenths, 1u, 255u));
        return emit_short(MessageType::query, code, group);
    }
    auto message = emit_short(MessageType::query, encode_float8(tenths), group);
    message.resize(kQueryV3Size);
    QueryTailWire tail{};
    tail.flags_s_qrv =
        static_cast<std::uint8_t>((query.suppress_router_processing ? kSuppressFlag : 0) |
                                  (query.robustness & kRobustnessMask));
    tail.qqic = encode_float8(static_cast<std::uint32_t>(query.query_interval.count()));
    tail.sources = static_cast<std::uint16_t>(query.sources.size());
    store(message.data() + sizeof(ShortWire), tail);
    append_sources(message, query.sources);
    store(message.data() + kChecksumOffset, BigEndian<std::uint16_t>(0));
    fill_checksum(message);
    return message;
}

std::vector<std::byte> emit(const OlderReport& report) {
    const bool is_v1 = report.version == Version::v1;
    return emit_short(is_v1 ? MessageType::v1_report : MessageType::v2_report, 0,
                      report.group.value());
}

std::vector<std::byte> emit_leave(GroupAddress group) {
    return emit_short(MessageType::v2_leave, 0, group.value());
}

std::vector<std::byte> emit(const Report& report) {
    std::vector<std::byte> message;
    begin_report(message);
    for (const auto& [type, group, sources] : report.records) {
        append_record(message, type, group, sources);
    }
    finish_report(message, report.records.size());
    return message;
}

void begin_report(std::vector<std::byte>& message) {
    message.assign(sizeof(ReportWire), std::byte{0});
}

void append_record(std::vector<std::byte>& message, RecordType type, GroupAddress group,
                   std::span<const Ipv4Address> sources) {
    RecordWire wire{};
    wire.type = static_cast<std::uint8_t>(type);
    wire.sources = static_cast<std::uint16_t>(sources.size());
    wire.group = group.value();
    const std::size_t at = message.size();
    message.resize(at + sizeof(RecordWire));
    store(message.data() + at, wire);
    append_sources(message, sources);
}

void finish_report(std::vector<std::byte>& message, std::size_t records) {
    ReportWire wire{};
    wire.type = static_cast<std::uint8_t>(MessageType::v3_report);
    wire.records = static_cast<std::uint16_t>(records);
    store(message.data(), wire);
    fill_checksum(message);
}

std::uint8_t encode_float8(std::uint32_t value) noexcept {
    if (value < 128) return static_cast<std::uint8_t>(value);
    const std::uint32_t capped = std::min(value, decode_float8(0xff));
    std::uint32_t exponent = 0;
    while (capped >> (exponent + 3) > 0x1f) ++exponent;
    return static_cast<std::uint8_t>(0x80 | exponent << 4 | (capped >> (exponent + 3) & 0x0f));
}

}  // namespace joinleaf::igmp
