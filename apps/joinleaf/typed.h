// The command line as typed, before it is checked; what the files that check it share.
#pragma once

#include <apps/joinleaf/options.h>
#include <apps/joinleaf/values.h>
#include <fmt/format.h>

#include <algorithm>
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
    Text config, state;
    bool print_config = false;

    Text port, address, gateway, vlan, mtu, queues, receive_buffers, transmit_buffers, robustness,
        igmp_version;
    bool require_router_alert = false;

    Text group, scope, rate, bit_rate, chunk, linger, input, send;
    bool no_udp_checksum = false;

    std::vector<std::string> joins, sources, excludes;
    Text output, count, duration;

    Text listen, root, name, policy, scheme, fan_out, dead_after, wait_leaves, caller_data,
        commands;
    std::vector<std::string> invites;
    Text tls_psk, tls_identity, tls_cert, tls_key, tls_ca, tls_peer;

    Text metrics;

    Text framing, session, line_port, line_address, input_format, input_flow, pace, flush_at, delay,
        heartbeat, end_for, repair_listen, history_messages, history_octets, repair_rate,
        repair_leaf_rate, repair_offer;
    std::vector<std::string> lines;
    bool follow = false;
    Text repair, start, on_gap, skew, gap_deadline, output_format, gaps;

    Text path;
    std::vector<std::string> words;

    Text pid, interval;
    bool once = false;

    Text size;

    Text querier_wait;

    Text completion;
    bool man = false;
};

/// Wrong use, found while options are made out of what was typed.
class WrongUse : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Gathers wrong uses, so that all of them can be told at once.
class Complaints {
public:
    /// Runs one check. Returns whether it found nothing wrong; what depends on it is not worth
    /// checking otherwise.
    template <class Check>
    bool attempt(Check check) {
        try {
            check();
            return true;
        } catch (const WrongUse& wrong) {
            if (std::ranges::find(all_, wrong.what()) == all_.end())
                all_.emplace_back(wrong.what());
            return false;
        }
    }

    [[nodiscard]] const std::vector<std::string>& all() const noexcept { return all_; }

private:
    std::vector<std::string> all_;
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

/// Where this host listens by TCP or UDP. Errors: throws WrongUse.
[[nodiscard]] ControlEndpoint local_endpoint(std::string_view option, const std::string& text);

/// Of what is sent, a second.
inline constexpr std::uint64_t kHighestRate = 1'000'000'000;

/// The text of an option that has to be there. Errors: throws WrongUse.
[[nodiscard]] const std::string& needed(const Typed::Text& text, std::string_view option,
                                        std::string_view example);
/// A whole number, or `unset`. Errors: throws WrongUse.
[[nodiscard]] std::uint64_t whole(const Typed::Text& text, std::string_view option,
                                  std::uint64_t least, std::uint64_t most, std::uint64_t unset);

// What each command makes of it. Errors: throws WrongUse.
[[nodiscard]] TellOptions tell_options(const Typed& typed);
[[nodiscard]] StatOptions stat_options(const Typed& typed);
// The same, as far as it is right; what is not is told to `wrong`.
[[nodiscard]] CommonOptions common_options(const Typed& typed, Complaints& wrong);
[[nodiscard]] RootOptions root_options(const Typed& typed, Complaints& wrong);
[[nodiscard]] LeafOptions leaf_options(const Typed& typed, Complaints& wrong);
[[nodiscard]] RepairOptions repair_options(const Typed& typed, Complaints& wrong);
[[nodiscard]] DemoOptions demo_options(const Typed& typed, Complaints& wrong);

/// A root's sequenced feed; none: its input is cut into datagrams. Errors: throws WrongUse.
[[nodiscard]] std::optional<FeedPublishing> feed_publishing(const Typed& typed,
                                                            const RootOptions& root);
/// What a leaf makes of a sequenced feed; none: payloads are taken as they are. Errors: throws
/// WrongUse.
[[nodiscard]] std::optional<FeedReceiving> feed_receiving(const Typed& typed,
                                                          const LeafOptions& leaf);
/// What a repair server keeps, and where it answers; `listen` is its endpoint. Errors: throws
/// WrongUse.
[[nodiscard]] FeedServing feed_serving(const Typed& typed, const std::string& listen);

/// How a root lets leaves in; none: it does not.
[[nodiscard]] std::optional<RootAdmission> root_admission(const Typed& typed, GroupEndpoint group,
                                                          Complaints& wrong);

/// How a leaf comes into a rooted session; none: it joins groups by itself.
[[nodiscard]] std::optional<LeafAdmission> leaf_admission(const Typed& typed, Complaints& wrong);

}  // namespace joinleaf::app
