// The demonstration, act by act: the set-up, the joins, the leave and the verdict.
#include <apps/joinleaf/demo/story.h>
#include <apps/joinleaf/demo/words.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/process.h>
#include <fmt/format.h>

#include <array>

namespace joinleaf::app {
namespace {

constexpr std::array<std::string_view, 3> kWires{"demo-root", "demo-leaf1", "demo-leaf2"};

constexpr std::uint64_t kDatagramsAfterLeave = 1'000;

/// SIGINT or SIGTERM asks for the end.
struct Interrupted {};

Ipv4Interface address_of(std::size_t port) {
    return {Ipv4Address(10, 77, 0, static_cast<std::uint8_t>(port + 1)), 24};
}

std::vector<PortOptions> ports() {
    std::vector<PortOptions> ports;
    for (std::size_t i = 0; i < kWires.size(); ++i) {
        PortOptions port;
        port.port = fmt::format("ring:{}", kWires[i]);
        port.address = address_of(i);
        ports.push_back(std::move(port));
    }
    return ports;
}

Json records_json(const igmp::Report& report) {
    Json records = Json::array();
    for (const auto& record : report.records) {
        Json sources = Json::array();
        for (const auto source : record.sources) sources.push_back(source.to_string());
        records.push_back({{"type", name(record.type)},
                           {"group", record.group.to_string()},
                           {"sources", std::move(sources)}});
    }
    return records;
}

}  // namespace

Story::Leaf::Leaf(std::string_view its_name, std::size_t its_port)
    : name(its_name), port(its_port), sink(kStampedDatagrams) {}

Story::Story(const DemoOptions& options, Surroundings& surroundings)
    : options_(options),
      around_(surroundings),
      report_(surroundings.report),
      runtime_(start_runtime(options.common, ports(), surroundings)) {
    leaves_.emplace_back("leaf 1", 1);
    leaves_.emplace_back("leaf 2", 2);
    network_.emplace(kWires);
    show_ports();
}

Story::~Story() {
    for (auto& leaf : leaves_) leaf.socket = leaf.session = Socket();  // before the runtime
}

void Story::show_ports() {
    const Status status = runtime_.status();
    const double start_ms = milliseconds_between(around_.began, Instant::clock::now());
    Json ports = Json::array();
    for (const auto& port : status.ports) ports.push_back(json_of(port));
    report_.json({{"event", "started"},
                  {"role", "demo"},
                  {"ports", std::move(ports)},
                  {"hugepages", status.hugepages},
                  {"start_ms", rounded(start_ms)}});
    heading(fmt::format("Three ports on one polling worker, up after {:.0f} ms ({})", start_ms,
                        status.hugepages ? "with hugepages" : "without hugepages"));
    for (std::size_t i = 0; i < status.ports.size(); ++i) {
        const auto& port = status.ports[i];
        report_.text(fmt::format(
            "  {:<7} {:<16} {}  {}  MTU {}, {}", i == kRootPort ? "root" : leaves_[i - 1].name,
            port.spec, port.mac.to_string(), port.address.to_string(), port.mtu, port.driver));
    }
    report_.text(
        "  Their wires end at a switch that reads IGMP and sends a group only where it "
        "was asked for.");
}

void Story::join_leaves() {
    heading(fmt::format("Two leaves join {} by IGMP alone", kGroup.to_string()));
    join(leaves_[0], kAnySource, SourceFilter::any());
    join(leaves_[1], kSourceSpecific, SourceFilter::only({address_of(kRootPort).address}));
}

void Story::join(Leaf& leaf, Scheme scheme, const SourceFilter& sources) {
    leaf.socket =
        must(runtime_.open({.scheme = scheme, .port = leaf.port, .handler = leaf.sink.handler()}),
             "open a socket");
    const Instant called = Instant::clock::now();
    const auto doing = fmt::format("join {}", kGroup.to_string());
    must(leaf.socket.join_leaf(kGroup, {.direction = Direction::receiver_only, .sources = sources}),
         doing);
    const Instant returned = Instant::clock::now();
    const Instant at = must(leaf.socket.connected_at(), doing);

    const SeenReport seen = show_report(leaf);
    report_.json({{"event", "connected"},
                  {"leaf", leaf.port},
                  {"group", kGroup.to_string()},
                  {"sources", sources.to_string()},
                  {"at_ns", nanoseconds(at)},
                  {"connect_ms", rounded(milliseconds_between(called, at))},
                  {"since_start_ms", rounded(milliseconds_between(around_.began, at))},
                  {"returned_ns", nanoseconds(returned)},
                  {"switch_read_report_ns", nanoseconds(seen.at)}});
    report_.text(
        fmt::format("         join_leaf called        0.000 ms   sources {}", sources.to_string()));
    const auto moment = [&](std::string_view what, Instant when) {
        report_.text(
            fmt::format("         {:<18}  {:9.3f} ms", what, milliseconds_between(called, when)));
    };
    moment("connected", at);
    moment("switch read it", seen.at);
    moment("join_leaf returned", returned);
    if (returned < at) problem(fmt::format("{} was told of its join too early", leaf.name));
}

SeenReport Story::show_report(Leaf& leaf) {
    auto seen = network_->report_from(leaf.port, leaf.reports_shown, kPatience);
    if (!seen) {
        throw Failure(
            fmt::format("the switch has not seen the report of {} within 5 s", leaf.name));
    }
    leaf.reports_shown = network_->reports_from(leaf.port);
    report_.json({{"event", "report"},
                  {"leaf", leaf.port},
                  {"seen_ns", nanoseconds(seen->at)},
                  {"records", records_json(seen->report)},
                  {"frame", hex_of(seen->frame)}});
    for (const auto& record : seen->report.records) {
        report_.text(fmt::format("  {}  {}", leaf.name, in_words(record)));
    }
    for (const auto& layer : layers_of(seen->frame)) {
        report_.text(fmt::format("         {:<8}  {}", layer.name, layer.hex));
    }
    return *std::move(seen);
}

void Story::leave_and_publish_on() {
    Leaf& stays = leaves_[0];
    Leaf& leaves = leaves_[1];
    heading(fmt::format("{} leaves, the root publishes on", leaves.name));
    leaves.reports_shown = network_->reports_from(leaves.port);
    leaves.socket.close();
    leaves.listens = false;
    show_report(leaves);

    const std::uint64_t before_stays = network_->forwarded_to(stays.port);
    const std::uint64_t before_left = network_->forwarded_to(leaves.port);
    Root root = open_root(0);
    begin(LeafSink::Work::count);
    send_stamped(root.sender, kDatagramsAfterLeave, kStampedApart);
    const std::uint64_t to_stays = network_->forwarded_to(stays.port) - before_stays;
    const std::uint64_t to_left = network_->forwarded_to(leaves.port) - before_left;
    report_.json({{"event", "left"},
                  {"leaf", leaves.port},
                  {"sent", sent_},
                  {"forwarded_to_leaf_1", to_stays},
                  {"forwarded_to_leaf_2", to_left},
                  {"delivered_to_leaf_1", stays.sink.datagrams()},
                  {"delivered_to_leaf_2", leaves.sink.datagrams()}});
    report_.text(fmt::format("  of {} datagrams the switch sent {} to {} and {} to {}",
                             grouped(sent_), grouped(to_stays), stays.name, grouped(to_left),
                             leaves.name));
    if (to_left != 0) problem(fmt::format("the switch still sends to {}", leaves.name));
}

int Story::end() {
    const Status status = runtime_.status();
    const double resident = resident_megabytes();
    for (auto& leaf : leaves_) leaf.socket.close();
    runtime_.stop();

    heading("Losses");
    Json by_port = Json::array();
    std::uint64_t lost = 0;
    for (const auto& port : status.ports) {
        const auto& counters = port.counters;
        by_port.push_back({{"port", port.spec},
                           {"missed", counters.missed},
                           {"errors", counters.errors},
                           {"no_mbuf", counters.no_mbuf},
                           {"drops", json_of(counters.drops)}});
        lost += losses(counters);
        for (const auto& line : text_of_losses(counters)) {
            report_.text(fmt::format("  {}: {}", port.spec, line));
        }
    }
    if (lost == 0) {
        report_.text(
            fmt::format("  none: all {} drop reasons, missed, errors and no_mbuf are 0 at "
                        "the root and at both leaves; the switch drops nothing",
                        kDropReasonCount));
    } else {
        problem(fmt::format("{} datagrams were lost", grouped(lost)));
    }

    const bool passed = problems_.empty();
    report_.json({{"event", "summary"},
                  {"role", "demo"},
                  {"passed", passed},
                  {"problems", problems_},
                  {"losses", std::move(by_port)},
                  {"seconds", rounded(seconds_between(around_.began, Instant::clock::now()))},
                  {"resident_mb", rounded(resident)}});
    if (!passed) throw Failure("the demo failed: " + problems_.front());
    report_.text("");
    report_.text(
        fmt::format("The demo passed: both leaves hold the file, nothing was lost, and who left, "
                    "was refused or expelled got nothing more. ({:.1f} s, {:.0f} MB resident)",
                    seconds_between(around_.began, Instant::clock::now()), resident));
    return kExitDone;
}

void Story::check_stop() {
    if (around_.signals.asked_to_stop()) throw Interrupted();
}

void Story::heading(std::string_view line) {
    report_.text("");
    report_.text(line);
}

void Story::problem(std::string what) {
    report_.text(fmt::format("  PROBLEM: {}", what));
    problems_.push_back(std::move(what));
}

int run_demo(const DemoOptions& options, Surroundings& surroundings) {
    Story story(options, surroundings);
    try {
        story.join_leaves();
        story.publish_file();
        story.measure_latency();
        story.leave_and_publish_on();
        story.admit_and_expel();
        return story.end();
    } catch (const Interrupted&) {
        surroundings.report.json({{"event", "closed"}, {"reason", "signal"}});
        surroundings.report.text("Ended before it was through: nothing is proved.");
        return kExitDone;
    }
}

}  // namespace joinleaf::app
