// The command line as typed, before it is checked; what options.cc and options_rooted.cc share.
#pragma once

#include <apps/joinleaf/options.h>
#include <apps/joinleaf/values.h>
#include <fmt/format.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace joinleaf::app {

/// An empty optional or vector: not given.
struct Typed {
    using Text = std::optional<std::string>;
    std::vector<std::string> cpus;
    Text eal, idle_sleep;
    Text record, record_file, record_snap;
    std::vector<std::string> record_on;
    bool allow_dumpcap = false;
    bool json = false;
    bool quiet = false;

    Text port, address, gateway, vlan, mtu, queues, robustness, igmp_version;
    bool require_router_alert = false;

    Text group, scope, rate, bit_rate, chunk, linger, input, send;
    bool no_udp_checksum = false;

    std::vector<std::string> joins, sources, excludes;
    Text output, count, duration;

    Text listen, root, name, policy, scheme, fan_out, dead_after, wait_leaves, caller_data,
        commands;
    std::vector<std::string> invites;
    Text tls_psk, tls_identity, tls_cert, tls_key, tls_ca, tls_peer;

    Text path;
    std::vector<std::string> words;

    Text size;

    Text querier_wait;
};

/// Wrong use, found while options are made out of what was typed.
class WrongUse : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class T>
T valid(Parsed<T> parsed) {
    if (!parsed) throw WrongUse(parsed.error());
    if constexpr (!std::is_void_v<T>) return *std::move(parsed);
}

/// Puts the option's name before the error of a type that does not know it.
template <class T>
T valid(std::string_view option, Parsed<T> parsed) {
    if (!parsed) throw WrongUse(fmt::format("{}: {}", option, parsed.error()));
    return *std::move(parsed);
}

/// An option that was looked at, by name.
using Named = std::pair<std::string_view, const Typed::Text*>;
/// What was given of `options`, the first; empty: nothing.
[[nodiscard]] std::string_view first_given(std::initializer_list<Named> options);

/// How a root lets leaves in; none: it does not. Errors: throws WrongUse.
[[nodiscard]] std::optional<RootAdmission> root_admission(const Typed& typed, GroupEndpoint group);

/// How a leaf comes into a rooted session; none: it joins groups by itself. Errors: throws
/// WrongUse.
[[nodiscard]] std::optional<LeafAdmission> leaf_admission(const Typed& typed);

}  // namespace joinleaf::app
