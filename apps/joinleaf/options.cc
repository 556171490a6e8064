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
/// As Linux numbers them at most.
constexpr std::uint64_t kMostProcesses = 1U << 22U;
/// More than any NIC has.
constexpr std::uint64_t kMostQueues = 1024;
constexpr std::uint64_t kReceiveBuffers = 32768;
constexpr std::uint64_t kTransmitBuffers = 16384;
constexpr std::uint64_t kMostBuffers = 16'777'216;

RecorderOptions recorder_options(const Typed& typed) {
    RecorderOptions recorder;
    if (!typed.record) {
        const auto stray = first_given(
            {{"--record-file", &typed.record_file}, {"--record-snap", &typed.record_snap}});
        const std::string_view option = typed.record_on.empty() ? stray : "--record-on";
        if (option.empty()) return recorder;
        throw WrongUse(fmt::format("{} is for the recorder; add --record PACKETS", option));
    }
    recorder.packets = whole(typed.record, "--record", 1, kMostRecordedPackets, 0);
    recorder.snap =
        whole(typed.record_snap, "--record-snap", kShortestSnap, kLongestSnap, recorder.snap);
    recorder.prefix = typed.record_file
                          ? needed(typed.record_file, "--record-file", "/var/tmp/feed")
                          : std::string("joinleaf");
    for (const auto& name : typed.record_on) {
        recorder.drops.push_back(valid(parse_drop_reason("--record-on", name)));
    }
    return recorder;
}

/// `receives`, `sends`: whether the command does; who does not needs what IGMP and ARP do.
PortOptions port_options(const Typed& typed, bool receives, bool sends, Complaints& wrong) {
    PortOptions port;
    wrong.attempt([&] { port.port = needed(typed.port, "--port", "eth1"); });
    const bool has_address = wrong.attempt([&] {
        port.address = valid(
            "--address", Ipv4Interface::parse(needed(typed.address, "--address", "10.0.0.11/24")));
    });
    if (typed.gateway && has_address) {
        wrong.attempt([&] {
            port.gateway = valid(parse_gateway("--gateway", *typed.gateway, port.address));
        });
    }
    if (typed.vlan) {
        wrong.attempt(
            [&] { port.vlan = valid("--vlan", net::VlanStack::parse(*typed.vlan)).to_string(); });
    }
    wrong.attempt([&] {
        port.mtu = static_cast<std::uint16_t>(whole(typed.mtu, "--mtu", 68, 65535, port.mtu));
    });
    wrong.attempt(
        [&] { port.queues = whole(typed.queues, "--queues", 1, kMostQueues, port.queues); });
    const std::uint64_t fewest = kFewestBuffers * port.queues;
    wrong.attempt([&] {
        port.receive_buffers = static_cast<std::uint32_t>(
            whole(typed.receive_buffers, "--receive-buffers", fewest, kMostBuffers,
                  receives ? std::max(kReceiveBuffers, fewest) : fewest));
    });
    wrong.attempt([&] {
        port.transmit_buffers = static_cast<std::uint32_t>(
            whole(typed.transmit_buffers, "--transmit-buffers", fewest, kMostBuffers,
                  sends ? std::max(kTransmitBuffers, fewest) : fewest));
    });
    wrong.attempt([&] {
        port.robustness = static_cast<std::uint8_t>(
            whole(typed.robustness, "--robustness", 1, 7, port.robustness));
    });
    wrong.attempt([&] {
        port.minimum_igmp_version = static_cast<std::uint8_t>(
            whole(typed.igmp_version, "--minimum-igmp-version", 1, 3, port.minimum_igmp_version));
    });
    port.require_router_alert = typed.require_router_alert;
    return port;
}

/// A worker for each queue, and a CPU for each worker.
void check_cpus(const Typed& typed, const PortOptions& port) {
    if (typed.cpus.empty() || typed.cpus.size() == port.queues) return;
    throw WrongUse(fmt::format(
        "--queues {} and --cpu ({} given) do not fit: each queue has a worker on a CPU of its own; "
        "name as many, or leave --cpu out",
        port.queues, typed.cpus.size()));
}

Publishing publishing_options(const Typed& typed, std::string input, std::uint16_t mtu,
                              Complaints& wrong) {
    Publishing publishing{.input = std::move(input), .udp_checksum = !typed.no_udp_checksum};
    wrong.attempt(
        [&] { publishing.packets_per_second = whole(typed.rate, "--rate", 1, kHighestRate, 0); });
    if (typed.bit_rate) {
        wrong.attempt([&] {
            publishing.bits_per_second = valid(parse_bit_rate("--bit-rate", *typed.bit_rate));
        });
    }
    if (typed.chunk) {
        wrong.attempt([&] {
            const auto chunk = valid(parse_whole("--chunk", *typed.chunk, 1, 65507));
            valid(check_chunk(chunk, mtu));
            publishing.chunk = static_cast<std::uint32_t>(chunk);
        });
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
    if (leaf.groups.empty()) return;  // what was given is none, which is told already
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

CommonOptions common_options(const Typed& typed, Complaints& wrong) {
    CommonOptions common;
    for (const auto& cpu : typed.cpus) {
        wrong.attempt([&] {
            common.cpus.push_back(static_cast<unsigned>(valid(parse_whole("--cpu", cpu, 0, 1023))));
        });
    }
    wrong.attempt([&] {
        common.idle_sleep = std::chrono::microseconds(
            whole(typed.idle_sleep, "--idle-sleep-us", 0, kLongestSleepUs, 0));
    });
    if (typed.eal) {
        wrong.attempt([&] { common.eal_arguments = valid(parse_words("--eal", *typed.eal)); });
    }
    if (typed.metrics) {
        wrong.attempt([&] { common.metrics = local_endpoint("--metrics", *typed.metrics); });
    }
    wrong.attempt([&] { common.recorder = recorder_options(typed); });
    common.allow_dumpcap = typed.allow_dumpcap;
    common.json = typed.json;
    common.quiet = typed.quiet;
    if (typed.state) {
        wrong.attempt([&] { common.state = needed(typed.state, "--state", "/run/leaf.state"); });
    }
    return common;
}

RootOptions root_options(const Typed& typed, Complaints& wrong) {
    // A group that is wrong does not keep the other options from being checked.
    RootOptions root{.group = SessionOffer{}.group};
    wrong.attempt([&] {
        root.group = valid("--group",
                           GroupEndpoint::parse(needed(typed.group, "--group", "239.1.1.1:5000")));
    });
    root.common = common_options(typed, wrong);
    root.port = port_options(typed, typed.output.has_value(), typed.input || !typed.output, wrong);
    wrong.attempt([&] { check_cpus(typed, root.port); });
    wrong.attempt([&] { root.scope = scope_of(typed, root.scope); });
    wrong.attempt([&] {
        root.linger =
            std::chrono::milliseconds(whole(typed.linger, "--linger-ms", 0, 3'600'000,
                                            static_cast<std::uint64_t>(root.linger.count())));
    });
    root.admission = root_admission(typed, root.group, wrong);
    if (typed.output) {
        wrong.attempt(
            [&] { root.output = needed(typed.output, "--output", "copy.bin (or - or null)"); });
    }
    if (typed.input || !typed.output) {
        std::string input;
        wrong.attempt(
            [&] { input = needed(typed.input, "--input", "file.bin (or - for standard input)"); });
        root.publishing = publishing_options(typed, std::move(input), root.port.mtu, wrong);
    } else {
        wrong.attempt([&] { refuse_without_sending(typed, "--input"); });
    }
    wrong.attempt([&] { root.feed = feed_publishing(typed, root); });
    if (root.feed) root.publishing->packets_per_second = 0;  // its rate is one of messages
    if (root.admission) {
        root.admission->options.session.scope = root.scope;
        root.admission->options.linger = root.linger;
    }
    return root;
}

LeafOptions leaf_options(const Typed& typed, Complaints& wrong) {
    LeafOptions leaf;
    leaf.admission = leaf_admission(typed, wrong);
    if (typed.joins.empty() && !leaf.admission) {
        wrong.attempt([&] {
            throw WrongUse(fmt::format(
                "--join is missing; add it, as in --join 239.1.1.1:5000, or {} to be let in by a "
                "root",
                typed.repair_listen ? "--root" : "--root or --listen"));
        });
    }
    const bool has_sources =
        wrong.attempt([&] { leaf.sources = valid(parse_sources(typed.sources, typed.excludes)); });
    for (const auto& text : typed.joins) {
        wrong.attempt([&] {
            const auto group = valid("--join", GroupEndpoint::parse(text));
            if (std::ranges::find(leaf.groups, group) != leaf.groups.end()) {
                throw WrongUse(fmt::format("--join: {} is joined already; name it once", text));
            }
            leaf.groups.push_back(group);
        });
    }
    if (typed.send) wrong.attempt([&] { check_sending(typed, leaf); });
    for (const auto group : leaf.groups) {
        if (has_sources) wrong.attempt([&] { valid(check_join(group, leaf.sources)); });
    }
    leaf.common = common_options(typed, wrong);
    leaf.port = port_options(typed, typed.output || !typed.send, typed.send.has_value(), wrong);
    wrong.attempt([&] { check_cpus(typed, leaf.port); });
    if (typed.output || !typed.send) {
        wrong.attempt(
            [&] { leaf.output = needed(typed.output, "--output", "copy.bin (or - or null)"); });
    }
    wrong.attempt([&] { refuse_one_way(typed); });
    if (typed.send) {
        std::string input;
        wrong.attempt(
            [&] { input = needed(typed.send, "--send", "file.bin (or - for standard input)"); });
        leaf.publishing = publishing_options(typed, std::move(input), leaf.port.mtu, wrong);
    }
    wrong.attempt([&] { leaf.scope = scope_of(typed, leaf.scope); });
    wrong.attempt([&] { leaf.feed = feed_receiving(typed, leaf); });
    if (typed.count) {
        wrong.attempt(
            [&] { leaf.count = valid(parse_whole("--count", *typed.count, 1, kNoLimit)); });
    }
    if (typed.duration) {
        wrong.attempt([&] { leaf.duration = valid(parse_seconds("--duration", *typed.duration)); });
    }
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

StatOptions stat_options(const Typed& typed) {
    if (typed.path && typed.pid) throw WrongUse("PATH and --pid name the process twice; use one");
    if (typed.json && typed.once) throw WrongUse("--json and --once are two forms; choose one");
    StatOptions stat{.path = typed.path, .once = typed.once, .json = typed.json};
    if (typed.pid) stat.pid = valid(parse_whole("--pid", *typed.pid, 1, kMostProcesses));
    if (typed.interval) stat.interval = valid(parse_seconds("--interval", *typed.interval));
    return stat;
}

DemoOptions demo_options(const Typed& typed, Complaints& wrong) {
    DemoOptions demo;
    demo.common = common_options(typed, wrong);
    wrong.attempt([&] {
        demo.file_octets =
            whole(typed.size, "--size", 1, 100'000, demo.file_octets / kMegabyte) * kMegabyte;
    });
    wrong.attempt(
        [&] { demo.packets_per_second = whole(typed.rate, "--rate", 1, kHighestRate, 0); });
    return demo;
}

}  // namespace joinleaf::app
