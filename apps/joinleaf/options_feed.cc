// The options of sequenced feeds: what a root reads and how it paces it, and what a leaf makes of
// its lines.
#include <apps/joinleaf/typed.h>
#include <net/moldudp64.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostLines = FeedReceiver::kMaxLines;
constexpr std::uint64_t kHourMs = std::chrono::milliseconds(1h).count();
constexpr std::uint64_t kMostKept = std::uint64_t{1} << 40;
constexpr std::uint64_t kLeastOctetsKept = std::uint64_t{1} << 16;  // a message of any length
constexpr double kSlowest = 0.001;
constexpr double kFastest = 1e6;

/// Whether a feed is wanted. Errors: throws WrongUse.
bool is_feed(const Typed& typed) {
    if (!typed.framing || *typed.framing == "datagram") return false;
    if (*typed.framing == "moldudp64") return true;
    throw WrongUse(fmt::format(
        "--framing: '{}' will not do; use moldudp64 (messages with sequence numbers) or datagram "
        "(payloads as they are)",
        *typed.framing));
}

void refuse_without_feed(std::initializer_list<Named> options) {
    if (const auto stray = first_given(options); !stray.empty()) {
        throw WrongUse(fmt::format("{} is for a sequenced feed; add --framing moldudp64", stray));
    }
}

std::string session_name(const Typed& typed) {
    if (!typed.session) return {};
    if (!net::MoldSession::from(*typed.session)) {
        throw WrongUse(fmt::format(
            "--session: '{}' will not do; use one to ten printable ASCII characters, as in FEED1",
            *typed.session));
    }
    return *typed.session;
}

/// Of a port that further lines go by: as the first, but for its name and its address.
std::optional<PortOptions> line_port(const Typed& typed, const PortOptions& first,
                                     bool has_further_lines, std::string_view how_to_add) {
    if (!typed.line_port) {
        if (typed.line_address) {
            throw WrongUse("--line-address is that of the --line-port; name it, as in eth2");
        }
        return {};
    }
    if (!has_further_lines) {
        throw WrongUse(fmt::format("--line-port is for the lines after the first; {}", how_to_add));
    }
    PortOptions port = first;
    port.port = needed(typed.line_port, "--line-port", "eth2");
    if (port.port == first.port) {
        throw WrongUse(fmt::format(
            "--line-port: {} is the --port already; leave it out, or name another", port.port));
    }
    port.address =
        valid("--line-address",
              Ipv4Interface::parse(needed(typed.line_address, "--line-address", "10.0.1.11/24")));
    port.gateway = {};
    return port;
}

template <class Time>
std::optional<Time> time_of(const Typed::Text& text, std::string_view option, std::uint64_t least,
                            std::uint64_t most) {
    if (!text) return {};
    return Time(static_cast<std::int64_t>(valid(parse_whole(option, *text, least, most))));
}

SourceOptions source_options(const Typed& typed) {
    SourceOptions source;
    const std::string format = typed.input_format.value_or("lengths");
    if (format == "lines") {
        source.format = InputFormat::lines;
    } else if (format == "pcap" || format == "pcapng") {
        source.format = InputFormat::capture;
    } else if (format != "lengths") {
        throw WrongUse(fmt::format(
            "--input-format: '{}' will not do; use lengths (each message behind its length, as in "
            "ITCH files), lines (of text) or pcap (a capture of a feed, pcap or pcapng)",
            format));
    }
    if (typed.input_flow) {
        if (source.format != InputFormat::capture) {
            throw WrongUse("--input-flow chooses from a capture; add --input-format pcap");
        }
        const auto flow = valid("--input-flow", ControlEndpoint::parse(*typed.input_flow));
        source.flow = Flow{flow.address, flow.port.value()};
    }
    return source;
}

/// As in x10 or x0.5; none: it is not written so.
std::optional<double> speed_in(const std::string& text) {
    if (text.empty() || text.front() != 'x') return {};
    const auto speed = parse_number(text.substr(1));
    if (!speed || *speed < kSlowest || *speed > kFastest) return {};
    return speed;
}

Pace pace_of(const Typed& typed, InputFormat format) {
    if (typed.rate && typed.pace) {
        throw WrongUse(
            "--pace and --rate contradict each other; a feed keeps to the times of a capture, or "
            "to a rate");
    }
    if (typed.rate) return Pace::at_rate(whole(typed.rate, "--rate", 1, kHighestRate, 0));
    const bool has_times = format == InputFormat::capture;
    if (!typed.pace) return has_times ? Pace::recorded(1) : Pace::unlimited();
    if (*typed.pace == "full") return Pace::unlimited();
    const auto speed = *typed.pace == "recorded" ? std::optional(1.0) : speed_in(*typed.pace);
    if (!speed) {
        throw WrongUse(fmt::format(
            "--pace: '{}' will not do; use recorded, a multiple of it from x0.001 to x1000000, as "
            "in x10, or full (as fast as the port takes)",
            *typed.pace));
    }
    if (!has_times) {
        throw WrongUse(fmt::format(
            "--pace {}: this input has no times; use --rate, or a capture with --input-format pcap",
            *typed.pace));
    }
    return Pace::recorded(*speed);
}

std::vector<GroupEndpoint> further_lines(const Typed& typed, const RootOptions& root) {
    std::vector<GroupEndpoint> lines;
    for (const auto& text : typed.lines) {
        const auto line = valid("--line", GroupEndpoint::parse(text));
        if (line == root.group || std::ranges::find(lines, line) != lines.end()) {
            throw WrongUse(fmt::format(
                "--line: {} is a line already; each has a group or a port of its own", text));
        }
        lines.push_back(line);
    }
    if (lines.size() >= kMostLines) {
        throw WrongUse(
            fmt::format("--line: a feed has at most {} lines, --group the first", kMostLines));
    }
    if (!lines.empty() && typed.fan_out && *typed.fan_out == "replicate") {
        throw WrongUse(
            "--line and --fan-out replicate contradict each other; each leaf has one address to "
            "be sent to, and what is lost there --repair-listen sends again");
    }
    return lines;
}

std::optional<FeedServing> serving_of(const Typed& typed) {
    if (typed.repair_listen) return feed_serving(typed, *typed.repair_listen);
    const auto stray = first_given({{"--history-messages", &typed.history_messages},
                                    {"--history-octets", &typed.history_octets},
                                    {"--repair-rate", &typed.repair_rate},
                                    {"--repair-leaf-rate", &typed.repair_leaf_rate}});
    if (!stray.empty()) {
        throw WrongUse(fmt::format(
            "{} is what leaves can ask for again; add --repair-listen, as in 10.1.0.1:6000",
            stray));
    }
    return {};
}

std::optional<ControlEndpoint> offered_server(const Typed& typed, const RootOptions& root) {
    if (!typed.repair_offer) return {};
    if (!root.admission) {
        throw WrongUse(
            "--repair-offer is told to leaves that are let in; add --listen, as in 10.1.0.1:7000, "
            "or have each leaf name the server in --repair");
    }
    return valid(parse_remote("--repair-offer", *typed.repair_offer));
}

void set_start(const Typed& typed, FeedReceiverOptions& options) {
    if (!typed.start || *typed.start == "live") return;
    if (*typed.start == "history") {
        options.start = StartAt::history;
    } else if (const auto sequence = parse_whole("--start", *typed.start, 1, ~std::uint64_t{0})) {
        options.start = StartAt::sequence;
        options.start_sequence = *sequence;
    } else {
        throw WrongUse(fmt::format(
            "--start: '{}' will not do; use live, history (the oldest that can be had) or a "
            "sequence number, as in 1",
            *typed.start));
    }
    if (!options.repair && !typed.root && !typed.listen) {
        throw WrongUse(fmt::format(
            "--start {}: what has been sent already comes from a repair server; add --repair, as "
            "in 10.1.0.1:6000",
            *typed.start));
    }
}

GapPolicy on_gap(const Typed& typed) {
    const std::string policy = typed.on_gap.value_or("skip");
    if (policy == "skip") return GapPolicy::skip;
    if (policy == "late") return GapPolicy::deliver_late;
    if (policy == "stop") return GapPolicy::stop;
    throw WrongUse(fmt::format(
        "--on-gap: '{}' will not do; use skip (what comes after its gap was told is dropped), late "
        "(it is written, out of order) or stop",
        policy));
}

OutputFormat output_format(const Typed& typed) {
    const std::string format = typed.output_format.value_or("lengths");
    if (format == "lengths") return OutputFormat::lengths;
    if (format == "lines") return OutputFormat::lines;
    if (format == "pcapng") return OutputFormat::pcapng;
    throw WrongUse(fmt::format(
        "--output-format: '{}' will not do; use lengths (each message behind its length, as in "
        "ITCH files), lines (of text) or pcapng (a capture of the feed)",
        format));
}

}  // namespace

FeedServing feed_serving(const Typed& typed, const std::string& listen) {
    FeedServing serving{.listen = local_endpoint("--repair-listen", listen)};
    // Whoever asks one address must not be answered from another.
    if (serving.listen.address.is_unspecified()) {
        throw WrongUse(fmt::format(
            "--repair-listen: answers come from where leaves ask, and {} is nowhere; name an "
            "address of this host that they reach",
            listen));
    }
    if (typed.repair_rate) {
        serving.rate = valid(parse_bit_rate("--repair-rate", *typed.repair_rate));
    }
    if (typed.repair_leaf_rate) {
        serving.leaf_rate = valid(parse_bit_rate("--repair-leaf-rate", *typed.repair_leaf_rate));
    }
    if (typed.history_messages) {
        serving.messages =
            valid(parse_whole("--history-messages", *typed.history_messages, 1, kMostKept));
    }
    if (typed.history_octets) {
        serving.octets = valid(
            parse_whole("--history-octets", *typed.history_octets, kLeastOctetsKept, kMostKept));
    }
    return serving;
}

std::optional<FeedPublishing> feed_publishing(const Typed& typed, const RootOptions& root) {
    if (!is_feed(typed)) {
        refuse_without_feed({{"--session", &typed.session},
                             {"--line-port", &typed.line_port},
                             {"--line-address", &typed.line_address},
                             {"--input-format", &typed.input_format},
                             {"--input-flow", &typed.input_flow},
                             {"--pace", &typed.pace},
                             {"--flush-at", &typed.flush_at},
                             {"--delay-us", &typed.delay},
                             {"--heartbeat-ms", &typed.heartbeat},
                             {"--end-for-ms", &typed.end_for},
                             {"--repair-listen", &typed.repair_listen},
                             {"--history-messages", &typed.history_messages},
                             {"--history-octets", &typed.history_octets},
                             {"--repair-rate", &typed.repair_rate},
                             {"--repair-leaf-rate", &typed.repair_leaf_rate},
                             {"--repair-offer", &typed.repair_offer}});
        if (!typed.lines.empty()) {
            throw WrongUse("--line is for a sequenced feed; add --framing moldudp64");
        }
        return {};
    }
    if (!typed.input) {
        throw WrongUse(
            "--input is missing; a feed has messages: add it, as in --input itch.bin (or - for "
            "standard input)");
    }
    if (typed.chunk) {
        throw WrongUse(
            "--chunk cuts a file, and a feed is cut between its messages; use --flush-at for "
            "smaller datagrams");
    }
    FeedPublishing feed{.session = session_name(typed),
                        .lines = further_lines(typed, root),
                        .source = source_options(typed)};
    feed.line_port =
        line_port(typed, root.port, !feed.lines.empty(), "add one, as in --line 239.1.1.2:5000");
    feed.pace = pace_of(typed, feed.source.format);
    if (typed.flush_at) {
        feed.flush_at = static_cast<std::uint32_t>(
            valid(parse_whole("--flush-at", *typed.flush_at, net::kMoldHeaderSize + 1,
                              root.port.mtu - kHeaderOctets)));
    }
    feed.delay = time_of<std::chrono::microseconds>(typed.delay, "--delay-us", 0, 1'000'000);
    feed.heartbeat =
        time_of<std::chrono::milliseconds>(typed.heartbeat, "--heartbeat-ms", 1, kHourMs);
    feed.end_for = time_of<std::chrono::milliseconds>(typed.end_for, "--end-for-ms", 0, kHourMs);
    feed.repair = serving_of(typed);
    feed.offer = offered_server(typed, root);
    return feed;
}

std::optional<FeedReceiving> feed_receiving(const Typed& typed, const LeafOptions& leaf) {
    const bool demanded = is_feed(typed);
    if (!demanded && (!leaf.admission || typed.framing)) {
        refuse_without_feed({{"--session", &typed.session},
                             {"--repair", &typed.repair},
                             {"--start", &typed.start},
                             {"--on-gap", &typed.on_gap},
                             {"--skew-us", &typed.skew},
                             {"--gap-deadline-ms", &typed.gap_deadline},
                             {"--gaps", &typed.gaps},
                             {"--output-format", &typed.output_format},
                             {"--line-port", &typed.line_port},
                             {"--line-address", &typed.line_address}});
        if (typed.follow)
            throw WrongUse("--follow is for a sequenced feed; add --framing moldudp64");
        return {};
    }
    if (demanded && !leaf.output) {
        throw WrongUse(
            "--framing is for what is received; add --output (what a leaf sends are datagrams)");
    }
    if (demanded && leaf.publishing && !leaf.admission) {
        throw WrongUse(
            "--send and --framing moldudp64 contradict each other; a feed's group has one "
            "publisher, `joinleaf root`");
    }
    if (leaf.groups.size() > kMostLines) {
        throw WrongUse(fmt::format("--join: a feed has at most {} lines", kMostLines));
    }
    FeedReceiving feed;
    feed.format = output_format(typed);
    feed.demanded = demanded;
    feed.follow = typed.follow;
    feed.gaps = typed.gaps;
    if (feed.gaps == "-" && leaf.output == "-") {
        throw WrongUse("--gaps and --output both have standard output; name a file for one");
    }
    auto& options = feed.options;
    options.session = session_name(typed);
    options.on_gap = on_gap(typed);
    if (typed.repair) {
        options.repair =
            FeedRepairOptions{.server = valid(parse_remote("--repair", *typed.repair))};
    }
    set_start(typed, options);
    options.skew =
        time_of<std::chrono::microseconds>(typed.skew, "--skew-us", 0, 10'000'000)
            .value_or(std::chrono::duration_cast<std::chrono::microseconds>(options.skew));
    if (const auto deadline = time_of<std::chrono::milliseconds>(typed.gap_deadline,
                                                                 "--gap-deadline-ms", 0, kHourMs)) {
        options.gap_deadline = *deadline;
    }
    feed.line_port = line_port(typed, leaf.port, leaf.groups.size() > 1 || leaf.admission,
                               "give --join for each line");
    return feed;
}

RepairOptions repair_options(const Typed& typed, Complaints& wrong) {
    RepairOptions repair;
    wrong.attempt([&] {
        const std::string& listen = needed(typed.repair_listen, "--repair-listen", "10.1.0.2:6000");
        repair.serving = feed_serving(typed, listen);
    });
    Typed leaf = typed;
    leaf.framing = "moldudp64";
    if (!leaf.output) leaf.output = "null";
    if (!leaf.start && (leaf.repair || leaf.root)) leaf.start = "history";
    leaf.follow = true;
    repair.leaf = leaf_options(leaf, wrong);
    return repair;
}

}  // namespace joinleaf::app
