// Single values as typed behind an option. Each error is one sentence that starts with the option,
// quotes what was typed and names the cure. Pure.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <joinleaf/error.h>
#include <joinleaf/session.h>
#include <joinleaf/source_filter.h>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::app {

/// A whole number from `least` to `most`.
[[nodiscard]] Parsed<std::uint64_t> parse_whole(std::string_view option, std::string_view text,
                                                std::uint64_t least, std::uint64_t most);

/// Bits per second, as in 500M or 2.5G: k, M and G are powers of a thousand.
[[nodiscard]] Parsed<std::uint64_t> parse_bit_rate(std::string_view option, std::string_view text);

/// Seconds, with a fraction if wanted; above zero.
[[nodiscard]] Parsed<Duration> parse_seconds(std::string_view option, std::string_view text);

/// One sender's own address: neither multicast nor broadcast nor loopback.
[[nodiscard]] Parsed<Ipv4Address> parse_source(std::string_view option, std::string_view text);

/// Which sources a leaf receives: those of `include`, or all but those of `exclude`, or any.
[[nodiscard]] Parsed<SourceFilter> parse_sources(const std::vector<std::string>& include,
                                                 const std::vector<std::string>& exclude);

/// Whether `group` may be joined for `sources`: in 232.0.0.0/8 only with a list of sources
/// (RFC 4607 §4.2).
[[nodiscard]] Parsed<void> check_join(GroupEndpoint group, const SourceFilter& sources);

/// Whether a payload of `chunk` octets fits a datagram on a port of `mtu`.
[[nodiscard]] Parsed<void> check_chunk(std::uint64_t chunk, std::uint16_t mtu);

/// A router beside a port of `own`: where what is for other subnets goes first.
[[nodiscard]] Parsed<Ipv4Address> parse_gateway(std::string_view option, std::string_view text,
                                                Ipv4Interface own);

/// One host that is reached by TCP.
[[nodiscard]] Parsed<ControlEndpoint> parse_remote(std::string_view option, std::string_view text);

/// A number with a fraction if wanted; none: it is not one.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

/// Words separated by blanks; quotes keep blanks together.
[[nodiscard]] Parsed<std::vector<std::string>> parse_words(std::string_view option,
                                                           std::string_view text);

}  // namespace joinleaf::app
