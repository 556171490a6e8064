// Single values as typed behind an option.
#include <apps/joinleaf/options.h>
#include <apps/joinleaf/values.h>
#include <controlplane/admission_rules.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace joinleaf::app {
namespace {

constexpr double kLongestSeconds = 1e8;  // three years; far from what a Duration can hold

template <class Number>
std::optional<Number> number_in(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
    return number;
}

}  // namespace

Parsed<std::uint64_t> parse_whole(std::string_view option, std::string_view text,
                                  std::uint64_t least, std::uint64_t most) {
    const auto number = number_in<std::uint64_t>(text);
    if (number && *number >= least && *number <= most) return *number;
    if (most == std::numeric_limits<std::uint64_t>::max()) {
        return tl::unexpected(fmt::format("{}: '{}' will not do; use a whole number from {} up",
                                          option, text, least));
    }
    return tl::unexpected(fmt::format("{}: '{}' will not do; use a whole number from {} to {}",
                                      option, text, least, most));
}

Parsed<std::uint64_t> parse_bit_rate(std::string_view option, std::string_view text) {
    constexpr double kSlowest = 1e3;  // a frame of 1500 octets takes twelve seconds
    constexpr double kFastest = 1e12;
    constexpr std::string_view kUnits = "kMG";
    std::string_view digits = text;
    double unit = 1;
    if (const auto found = text.empty() ? kUnits.npos : kUnits.find(text.back());
        found != kUnits.npos) {
        unit = std::pow(1000, static_cast<double>(found + 1));
        digits.remove_suffix(1);
    }
    const auto bits = number_in<double>(digits).value_or(0) * unit;
    if (bits >= kSlowest && bits <= kFastest) {  // not a number is neither
        return static_cast<std::uint64_t>(std::llround(bits));
    }
    return tl::unexpected(
        fmt::format("{}: '{}' will not do; use bits per second from 1k to 1000G, as in 500M or "
                    "2.5G",
                    option, text));
}

Parsed<Duration> parse_seconds(std::string_view option, std::string_view text) {
    const auto seconds = number_in<double>(text);
    if (!seconds || !std::isfinite(*seconds) || *seconds <= 0 || *seconds > kLongestSeconds) {
        return tl::unexpected(fmt::format(
            "{}: '{}' will not do; use seconds above zero, as in 10 or 0.5", option, text));
    }
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*seconds));
}

Parsed<Ipv4Address> parse_source(std::string_view option, std::string_view text) {
    const auto address = Ipv4Address::parse(text);
    if (!address) return tl::unexpected(fmt::format("{}: {}", option, address.error()));
    if (address->is_multicast()) {
        return tl::unexpected(fmt::format(
            "{}: {} is a multicast group; a source is one sender's own address", option, text));
    }
    if (!address->is_unicast()) {
        return tl::unexpected(
            fmt::format("{}: {} cannot send; a source is one sender's own address, as in 10.0.0.1",
                        option, text));
    }
    return *address;
}

Parsed<SourceFilter> parse_sources(const std::vector<std::string>& include,
                                   const std::vector<std::string>& exclude) {
    if (!include.empty() && !exclude.empty()) {
        return tl::unexpected(std::string(
            "--source and --exclude contradict each other; name the sources wanted or those not "
            "wanted"));
    }
    const bool only = !include.empty();
    std::vector<Ipv4Address> sources;
    for (const auto& text : only ? include : exclude) {
        const auto source = parse_source(only ? "--source" : "--exclude", text);
        if (!source) return tl::unexpected(source.error());
        sources.push_back(*source);
    }
    return SourceFilter(only ? FilterMode::include : FilterMode::exclude, sources);
}

Parsed<void> check_join(GroupEndpoint group, const SourceFilter& sources) {
    if (group.group.is_source_specific() && sources.mode() == FilterMode::exclude) {
        return tl::unexpected(fmt::format(
            "--join: {} is source-specific (232.0.0.0/8, RFC 4607) and has no any-source join; "
            "name its senders with --source",
            group.group.to_string()));
    }
    return {};
}

Parsed<void> check_chunk(std::uint64_t chunk, std::uint16_t mtu) {
    const std::uint32_t most = mtu - kHeaderOctets;
    if (chunk > most) {
        return tl::unexpected(fmt::format(
            "--chunk: {} octets do not fit the MTU of {}; use at most {}, or raise --mtu where the "
            "network carries it",
            chunk, mtu, most));
    }
    return {};
}

Parsed<Ipv4Address> parse_gateway(std::string_view option, std::string_view text,
                                  Ipv4Interface own) {
    const auto address = Ipv4Address::parse(text);
    if (!address) return tl::unexpected(fmt::format("{}: {}", option, address.error()));
    if (!address->is_unicast() || !own.contains(*address)) {
        return tl::unexpected(fmt::format(
            "{}: {} is not in the subnet of {}; name a router beside the port, which takes what is "
            "for others",
            option, text, own.to_string()));
    }
    const std::uint32_t host = address->value() & ~own.mask();
    const bool is_nobody = own.prefix_length < 31 && (host == 0 || host == ~own.mask());
    if (is_nobody || *address == own.address) {
        return tl::unexpected(fmt::format("{}: {} is {}; name the router's address", option, text,
                                          is_nobody ? "nobody's address" : "the port's own"));
    }
    return *address;
}

Parsed<ControlEndpoint> parse_remote(std::string_view option, std::string_view text) {
    const auto endpoint = ControlEndpoint::parse(text);
    if (!endpoint) return tl::unexpected(fmt::format("{}: {}", option, endpoint.error()));
    if (!controlplane::is_usable(*endpoint)) {
        return tl::unexpected(fmt::format(
            "{}: {} is nobody's address; name one host, as in 10.1.0.1:7000", option, text));
    }
    return *endpoint;
}

std::optional<double> parse_number(std::string_view text) {
    const auto number = number_in<double>(text);
    if (!number || !std::isfinite(*number)) return {};
    return number;
}

Parsed<std::vector<std::string>> parse_words(std::string_view option, std::string_view text) {
    std::vector<std::string> words;
    std::optional<std::string> word;
    char quote = 0;
    for (const char c : text) {
        if (quote != 0) {
            if (c == quote) {
                quote = 0;
            } else {
                word->push_back(c);
            }
        } else if (c == '"' || c == '\'') {
            quote = c;
            if (!word) word.emplace();
        } else if (c == ' ' || c == '\t') {
            if (word) words.push_back(*std::exchange(word, std::nullopt));
        } else {
            if (!word) word.emplace();
            word->push_back(c);
        }
    }
    if (quote != 0) {
        return tl::unexpected(fmt::format("{}: a quote ({}) is not closed", option, quote));
    }
    if (word) words.push_back(*word);
    return words;
}

}  // namespace joinleaf::app
