// An IGMP report in words.
#include <apps/joinleaf/demo/words.h>
#include <fmt/format.h>
#include <net/ethernet.h>
#include <net/ipv4.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

std::string list_of(const std::vector<Ipv4Address>& sources) {
    std::string list;
    for (const auto source : sources) {
        if (!list.empty()) list += ", ";
        list += source.to_string();
    }
    return list;
}

std::string meaning(const igmp::Record& record) {
    const auto sources = list_of(record.sources);
    const bool none = sources.empty();
    switch (record.type) {
        case igmp::RecordType::is_include:
        case igmp::RecordType::to_include:
            return none ? "wants nothing of it any more" : "wants it only from " + sources;
        case igmp::RecordType::is_exclude:
        case igmp::RecordType::to_exclude:
            return none ? "wants it from any source" : "wants it from all sources but " + sources;
        case igmp::RecordType::allow:
            return "wants it also from " + sources;
        case igmp::RecordType::block:
            return "does not want it from " + sources + " any more";
    }
    return "";
}

}  // namespace

std::string_view name(igmp::RecordType type) noexcept {
    switch (type) {
        case igmp::RecordType::is_include:
            return "MODE_IS_INCLUDE";
        case igmp::RecordType::is_exclude:
            return "MODE_IS_EXCLUDE";
        case igmp::RecordType::to_include:
            return "CHANGE_TO_INCLUDE_MODE";
        case igmp::RecordType::to_exclude:
            return "CHANGE_TO_EXCLUDE_MODE";
        case igmp::RecordType::allow:
            return "ALLOW_NEW_SOURCES";
        case igmp::RecordType::block:
            return "BLOCK_OLD_SOURCES";
    }
    return "";
}

std::string in_words(const igmp::Record& record) {
    return fmt::format("{} {} {{{}}}: {}", name(record.type), record.group.to_string(),
                       list_of(record.sources), meaning(record));
}

std::string hex_of(std::span<const std::byte> bytes) {
    std::string hex;
    for (const auto byte : bytes) hex += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
    return hex;
}

std::vector<Layer> layers_of(std::span<const std::byte> frame) {
    const auto ethernet = net::parse_ethernet(frame);
    if (!ethernet) return {{"frame", hex_of(frame)}};
    const auto link = frame.first(frame.size() - ethernet->payload.size());
    const auto packet = net::parse_ipv4(ethernet->payload);
    if (!packet) return {{"Ethernet", hex_of(link)}, {"payload", hex_of(ethernet->payload)}};
    const auto header_size =
        static_cast<std::size_t>(packet->payload.data() - ethernet->payload.data());
    return {{"Ethernet", hex_of(link)},
            {"IPv4", hex_of(ethernet->payload.first(header_size))},
            {"IGMP", hex_of(packet->payload)}};
}

}  // namespace joinleaf::app
