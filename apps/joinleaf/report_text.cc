// The lines for a person.
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/report_feed.h>
#include <controlplane/admission_text.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace joinleaf::app {
namespace {

std::string rates(double packets_per_second, double bits_per_second) {
    return fmt::format("{}, {}", packet_rate(packets_per_second), bit_rate(bits_per_second));
}

/// As in "desk-7 at 192.0.2.12:40312, proven to be alice".
std::string text_of(const Peer& peer) {
    return fmt::format("{}{}{}", peer.name.empty() ? "" : peer.name + " at ",
                       peer.endpoint.to_string(),
                       peer.identity.empty() ? "" : ", proven to be " + peer.identity);
}

std::string data_moved(Role role, const PortCounters& counters) {
    return role == Role::root ? fmt::format("sent {}", grouped(counters.sent))
                              : fmt::format("delivered {}", grouped(counters.delivered));
}

/// The direction that is not the role's first.
std::string moved_besides(Role role, const PortCounters& counters) {
    if (role == Role::root) return fmt::format("received {}", grouped(counters.delivered));
    return fmt::format("sent {}", grouped(counters.sent));
}

/// What a leaf says along with its request, unless it would play tricks on a terminal.
std::string in_words(const std::string& caller_data) {
    if (caller_data.empty()) return "";
    if (controlplane::is_admission_text(caller_data)) return fmt::format(", '{}'", caller_data);
    return fmt::format(", with {} octets of data", caller_data.size());
}

/// As in "one at 10.0.0.12".
std::string text_of(const SenderFacts& sender) {
    if (sender.address.is_unspecified()) return "others";
    return fmt::format("{}{}", sender.name.empty() ? "" : sender.name + " at ",
                       sender.address.to_string());
}

}  // namespace

bool is_loss(DropReason reason) noexcept {
    switch (reason) {
        case DropReason::own_echo:
        case DropReason::other_mac:
        case DropReason::other_vlan:
        case DropReason::not_ipv4:
        case DropReason::other_address:
        case DropReason::other_protocol:
        case DropReason::no_subscriber:
        case DropReason::source_filtered:
            return false;
        default:
            return true;
    }
}

std::uint64_t losses(const PortCounters& counters) noexcept {
    std::uint64_t lost = counters.missed + counters.errors + counters.no_mbuf;
    for (std::size_t i = 0; i < counters.drops.size(); ++i) {
        if (is_loss(static_cast<DropReason>(i))) lost += counters.drops[i];
    }
    return lost;
}

std::string text_of(const Started& started) {
    const auto& port = started.port;
    return fmt::format("port {} is up after {:.0f} ms: {}, {}, {}, MTU {}, multicast filter {}, {}",
                       port.spec, started.start_ms, port.driver, port.mac.to_string(),
                       port.address.to_string(), port.mtu, name(port.filter_mode),
                       started.hugepages ? "hugepages" : "no hugepages");
}

std::string_view close_reason(Role role, const std::error_code& reason) noexcept {
    if (!reason) return role == Role::root ? "closed" : "session_closed";
    if (reason == std::errc::connection_aborted) return "expelled";
    if (reason == std::errc::timed_out) return "timed_out";
    if (reason == std::errc::network_down) return "network_down";
    return "reset";
}

std::string text_of(const UserData& data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

std::string text_of(Role role, const Connected& connected) {
    if (role == Role::root) {
        return fmt::format("publishes to {}", connected.group.to_string());
    }
    const auto& session = connected.session;
    const std::string by = session ? fmt::format(", let in by {}", text_of(session->root)) : "";
    if (connected.sources.is_nothing()) {
        return fmt::format("sends to {}{}; it receives nothing and joins no group",
                           connected.sends_to, by);
    }
    return fmt::format(
        "joined {} for {}{}: the report left {:.2f} ms after the call, {:.0f} ms "
        "after the start{}",
        connected.group.to_string(), connected.sources.to_string(), by, connected.connect_ms,
        connected.since_start_ms,
        connected.sends_to.empty() ? "" : fmt::format("; sends to {}", connected.sends_to));
}

std::string text_of(Role role, const Listening& listening) {
    return fmt::format("{} at {} ({})",
                       role == Role::root ? "lets leaves in" : "waits for an invitation",
                       listening.at.to_string(), listening.tls ? "TLS 1.3" : "without TLS");
}

std::string text_of(const LeafFacts& leaf) {
    return fmt::format("leaf {}: {}, data address {}", leaf.number, text_of(leaf.peer),
                       leaf.peer.data_address.to_string());
}

std::string text_of_joined(const LeafFacts& leaf) {
    return fmt::format("leaf {} has joined{}: {}, data address {}{}", leaf.number,
                       leaf.invited ? ", invited" : "", text_of(leaf.peer),
                       leaf.peer.data_address.to_string(), in_words(leaf.caller_data));
}

std::string text_of_left(const LeafFacts& leaf, std::string_view reason) {
    return fmt::format("leaf {} has left ({}): {}", leaf.number, reason, text_of(leaf.peer));
}

std::string text_of(Role role, const Progress& progress) {
    const auto& counters = progress.counters;
    if (progress.feed_sent || progress.feed_taken) {
        return fmt::format(
            "{:4.0f} s  {}  {}  lost {}", progress.seconds,
            progress.feed_sent ? text_of(*progress.feed_sent) : text_of(*progress.feed_taken),
            bit_rate(progress.bits_per_second), grouped(losses(counters)));
    }
    const bool both = counters.sent != 0 && counters.delivered != 0;
    return fmt::format("{:4.0f} s  {}{}  {}  lost {}", progress.seconds, data_moved(role, counters),
                       both ? ", " + moved_besides(role, counters) : "",
                       rates(progress.packets_per_second, progress.bits_per_second),
                       grouped(losses(progress.counters)));
}

std::vector<std::string> text_of(Role role, const Summary& summary) {
    const auto& counters = summary.port.counters;
    const std::uint64_t octets =
        role == Role::root ? counters.sent_bytes : counters.delivered_bytes;
    const std::uint64_t besides =
        role == Role::root ? counters.delivered_bytes : counters.sent_bytes;
    std::vector<std::string> lines;
    if (const auto& feed = summary.feed_sent) lines = text_of(*feed);
    if (const auto& feed = summary.feed_taken) lines = text_of(*feed);
    for (const auto& repair : summary.repairs) lines.push_back(text_of(repair));
    if (summary.moves_its_own) {
        lines.push_back(fmt::format(
            "{} {}, {} octets in {:.2f} s ({} while they flowed)", data_moved(role, counters),
            summary.feed_taken ? "messages" : "datagrams", grouped(octets), summary.seconds,
            rates(summary.packets_per_second, summary.bits_per_second)));
    }
    if (summary.moves_besides) {
        lines.push_back(fmt::format("{} datagrams, {} octets", moved_besides(role, counters),
                                    grouped(besides)));
    }
    if (const auto& senders = summary.senders) {
        for (const auto& sender : *senders) {
            lines.push_back(fmt::format("  from {}{}: {} datagrams, {} octets", text_of(sender),
                                        sender.is_leaf ? "" : ", no leaf",
                                        grouped(sender.datagrams), grouped(sender.octets)));
        }
    }
    if (const auto& leaves = summary.leaves) {
        lines.push_back(fmt::format("leaves: {} joined, {} left, {} refused, {} to the end",
                                    grouped(leaves->joined), grouped(leaves->left),
                                    grouped(leaves->refused), grouped(leaves->now)));
    }
    if (losses(counters) == 0) lines.emplace_back("lost nothing on this port");
    for (const auto& line : text_of_losses(counters)) lines.push_back("  " + line);
    return lines;
}

std::vector<std::string> text_of_losses(const PortCounters& counters) {
    std::vector<std::string> lines;
    const auto say = [&](std::uint64_t count, std::string_view what, std::string_view why) {
        if (count != 0) lines.push_back(fmt::format("{} {}: {}", grouped(count), what, why));
    };
    say(counters.missed, "missed", "the port had no room; lower the rate or give it another CPU");
    say(counters.no_mbuf, "no_mbuf", "the buffers of the pool were all in use");
    say(counters.errors, "errors", "the port's own error counters");
    for (std::size_t i = 0; i < counters.drops.size(); ++i) {
        const auto reason = static_cast<DropReason>(i);
        say(counters.drops[i], name(reason), explanation(reason));
    }
    return lines;
}

}  // namespace joinleaf::app
