// The checks that turn what was typed into options.
#include <apps/joinleaf/typed.h>
#include <fmt/ranges.h>
#include <net/vlan.h>

#include <limits>

namespace joinleaf::app {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kMegabyte = 1'000'000;

constexpr std::uint64_t kLongestSleepUs = std::chrono::microseconds(kLongestIdleSleep).count();
/// More than any NIC has.
constexpr std::uint64_t kMostQueues = 1024;

CommonOptions common_options(const Typed& typed) {
    CommonOptions common;
    for (const auto& cpu : typed.cpus) {
        common.cpus.push_back(static_cast<unsigned>(valid(parse_whole("--cpu", cpu, 0, 1023))));
    }
    common.idle_sleep = std::chrono::microseconds(
        whole(typed.idle_sleep, "--idle-sleep-us", 0, kLongestSleepUs, 0));
    if (typed.eal) common.eal_arguments = valid(parse_words("--eal", *typed.eal));
    common.json = typed.json;
    common.quiet = typed.quiet;
    return common;
}

PortOptions port_options(const Typed& typed) {
    PortOptions port;
    port.port = needed(typed.port, "--port", "eth1");
    port.address = valid("--address",
                         Ipv4Interface::parse(needed(typed.address, "--address", "10.0.0.11/24")));
    if (typed.gateway) {
        port.gateway = valid(parse_gateway("--gateway", *typed.gateway, port.address));
    }
    if (typed.vlan) port.vlan = valid("--vlan", net::VlanStack::parse(*typed.vlan)).to_string();
    port.mtu = static_cast<std::uint16_t>(whole(typed.mtu, "--mtu", 68, 65535, port.mtu));
    port.queues = whole(typed.queues, "--queues", 1, kMostQueues, port.queues);
    port.robustness =
        static_cast<std::uint8_t>(whole(typed.robustness, "--robustness", 1, 7, port.robustness));
    port.minimum_igmp_version = static_cast<std::uint8_t>(
        whole(typed.igmp_version, "--minimum-igmp-version", 1, 3, port.minimum_igmp_version));
    port.require_router_alert = typed.require_router_alert;
    return port;
}

/// A worker for each queue, and a CPU for each worker.
void check_cpus(const CommonOptions& common, const PortOptions& port) {
    if (common.cpus.empty() || common.cpus.size() == port.queues) return;
    throw WrongUse(fmt::format(
        "--queues {} and --cpu ({} given) do not fit: each queue has a worker on a CPU of its own; "
        "name as many, or leave --cpu out",
        port.queues, common.cpus.size()));
}

Publishing publishing_options(const Typed& typed, std::string input, std::uint16_t mtu) {
    Publishing publishing{.input = std::move(input),
                          .packets_per_second = whole(typed.rate, "--rate", 1, kHighestRate, 0),
                          .udp_checksum = !typed.no_udp_checksum};
    if (typed.bit_rate) {
        publishing.bits_per_second = valid(parse_bit_rate("--bit-rate", *typed.bit_rate));
    }
    if (typed.chunk) {
        const auto chunk = valid(parse_whole("--chunk", *typed.chunk, 1, 65507));
        valid(check_chunk(chunk, mtu));
        publishing.chunk = static_cast<std::uint32_t>(chunk);
    }
    return publishing;
}

void refuse_without_sending(const Typed& typed, std::string_view option) {
    const auto stray = first_given(
        {{"--rate", &typed.rate}, {"--bit-rate", &typed.bit_rate}, {"--chunk", &typed.chunk}});
    const std::string_view flag = typed.no_udp_checksum ? "--no-udp-checksum" : stray;
    if (!flag.empty()) {
        throw WrongUse(fmt::format("{} is for what is sent; add {} FILE", flag, option));
    }
}

std::uint8_t scope_of(const Typed& typed, std::uint8_t unset) {
    return static_cast<std::uint8_t>(whole(typed.scope, "--scope", 0, 255, unset));
}

/// A leaf that sends: to its root or to the group of its one join.
void check_sending(const Typed& typed, const LeafOptions& leaf) {
    if (leaf.admission) return;
    if (typed.joins.size() > 1) throw WrongUse("--send goes to one group; give one --join");
    if (!typed.sources.empty() || leaf.groups.at(0).group.is_source_specific()) {
        throw WrongUse(fmt::format(
            "--send: {} makes this source-specific, where no leaf sends; publish with `joinleaf "
            "root`, or join another group without --source",
            typed.sources.empty() ? "232.0.0.0/8" : "--source"));
    }
}

/// What is of no use to a leaf that only sends, or does not send.
void refuse_one_way(const Typed& typed) {
    if (!typed.send) {
        refuse_without_sending(typed, "--send");
        if (typed.scope) throw WrongUse("--scope is for what is sent; add --send FILE");
    }
    if (!typed.output) {
        if (typed.count) throw WrongUse("--count is for what is received; add --output");
        if (!typed.excludes.empty()) {
            throw WrongUse("--exclude is for what is received; add --output");
        }
    }
}

}  // namespace

const std::string& needed(const Typed::Text& text, std::string_view option,
                          std::string_view example) {
    if (!text || text->empty()) {
        throw WrongUse(fmt::format("{0} is missing; add it, as in {0} {1}", option, example));
    }
    return *text;
}

std::uint64_t whole(const Typed::Text& text, std::string_view option, std::uint64_t least,
                    std::uint64_t most, std::uint64_t unset) {
    return text ? valid(parse_whole(option, *text, least, most)) : unset;
}

RootOptions root_options(const Typed& typed) {
    const auto group =
        valid("--group", GroupEndpoint::parse(needed(typed.group, "--group", "239.1.1.1:5000")));
    RootOptions root{.common = common_options(typed), .port = port_options(typed), .group = group};
    check_cpus(root.common, root.port);
    root.scope = scope_of(typed, root.scope);
    root.linger = std::chrono::milliseconds(whole(typed.linger, "--linger-ms", 0, 3'600'000,
                                                  static_cast<std::uint64_t>(root.linger.count())));
    root.admission = root_admission(typed, group);
    if (typed.output) root.output = needed(typed.output, "--output", "copy.bin (or - or null)");
    if (typed.input || !typed.output) {
        root.publishing = publishing_options(
            typed, needed(typed.input, "--input", "file.bin (or - for standard input)"),
            root.port.mtu);
    } else {
        refuse_without_sending(typed, "--input");
    }
    root.feed = feed_publishing(typed, root);
    if (root.feed) root.publishing->packets_per_second = 0;  // its rate is one of messages
    if (root.admission) {
        root.admission->options.session.scope = root.scope;
        root.admission->options.linger = root.linger;
    }
    return root;
}

LeafOptions leaf_options(const Typed& typed) {
    LeafOptions leaf;
    leaf.admission = leaf_admission(typed);
    if (typed.joins.empty() && !leaf.admission) {
        throw WrongUse(
            "--join is missing; add it, as in --join 239.1.1.1:5000, or --root or "
            "--listen to be let in by a root");
    }
    leaf.sources = valid(parse_sources(typed.sources, typed.excludes));
    for (const auto& text : typed.joins) {
        leaf.groups.push_back(valid("--join", GroupEndpoint::parse(text)));
    }
    if (typed.send) check_sending(typed, leaf);
    for (const auto group : leaf.groups) valid(check_join(group, leaf.sources));
    leaf.common = common_options(typed);
    leaf.port = port_options(typed);
    check_cpus(leaf.common, leaf.port);
    if (typed.output || !typed.send) {
        leaf.output = needed(typed.output, "--output", "copy.bin (or - or null)");
    }
    refuse_one_way(typed);
    if (typed.send) {
        leaf.publishing = publishing_options(
            typed, needed(typed.send, "--send", "file.bin (or - for standard input)"),
            leaf.port.mtu);
    }
    leaf.scope = scope_of(typed, leaf.scope);
    leaf.feed = feed_receiving(typed, leaf);
    if (typed.count) leaf.count = valid(parse_whole("--count", *typed.count, 1, kNoLimit));
    if (typed.duration) leaf.duration = valid(parse_seconds("--duration", *typed.duration));
    return leaf;
}

TellOptions tell_options(const Typed& typed) {
    if (!typed.path) {
        throw WrongUse(
            "name the socket that the root has with --commands, as in /run/feed.socket leaves");
    }
    if (typed.words.empty()) {
        throw WrongUse(fmt::format("say what to tell, as in {} leaves (or help)", *typed.path));
    }
    TellOptions tell{.path = *typed.path, .line = fmt::format("{}", fmt::join(typed.words, " "))};
    if (tell.line.find('\n') != std::string::npos) throw WrongUse("tell one line at a time");
    return tell;
}

DemoOptions demo_options(const Typed& typed) {
    DemoOptions demo;
    demo.common = common_options(typed);
    demo.file_octets =
        whole(typed.size, "--size", 1, 100'000, demo.file_octets / kMegabyte) * kMegabyte;
    demo.packets_per_second = whole(typed.rate, "--rate", 1, kHighestRate, 0);
    return demo;
}

}  // namespace joinleaf::app
