// The demonstration, act by act.
#include <apps/joinleaf/demo/story.h>
#include <apps/joinleaf/demo/words.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/idle.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/process.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <thread>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr GroupEndpoint kGroup{GroupAddress::of(239, 77, 0, 1), UdpPort::of(5000)};
constexpr std::array<std::string_view, 3> kWires{"demo-root", "demo-leaf1", "demo-leaf2"};

/// Datagrams between the root's socket and the slower leaf. A wire holds 4095, so that no port
/// ever has to wait for another, however the machine shares out its CPUs.
constexpr std::uint64_t kUnderWay = 1024;
constexpr auto kPatience = 5s;

constexpr std::uint64_t kStampedDatagrams = 20'000;
constexpr Duration kStampedApart = 100us;
constexpr std::size_t kStampedOctets = 64;
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

double microseconds(Duration duration) {
    return std::chrono::duration<double, std::micro>(duration).count();
}

std::int64_t nanoseconds(Instant at) { return at.time_since_epoch().count(); }

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

Story::Root Story::open_root(std::uint64_t packets_per_second) {
    SocketOptions options{.scheme = kSourceSpecific,
                          .control_role = ControlRole::leaf,
                          .data_role = DataRole::root,
                          .port = kRootPort};
    options.sender.packets_per_second = packets_per_second;
    Root root{.socket = must(runtime_.open(options), "open a socket"), .sender = {}};
    must(root.socket.join_leaf(
             kGroup, {.direction = Direction::sender_only, .sources = SourceFilter::nothing()}),
         "publish");
    root.sender = must(root.socket.sender(), "publish");
    return root;
}

void Story::publish_file() {
    heading(fmt::format("A file of {} octets goes to both leaves", grouped(options_.file_octets)));
    TestFile file =
        TestFile::make(options_.file_octets, std::random_device{}(), [this] { check_stop(); });
    report_.text(
        fmt::format("  random octets in {}, SHA-256 {}", file.folder, to_string(file.sha256)));
    Root root = open_root(options_.packets_per_second);
    report_.text(options_.packets_per_second != 0
                     ? fmt::format("  pace: {}",
                                   packet_rate(static_cast<double>(options_.packets_per_second)))
                     : fmt::format("  pace: what the slower leaf holds, at most {} datagrams ahead "
                                   "of it",
                                   kUnderWay));
    begin(LeafSink::Work::hash);
    send_file(file, root);
    wait_for_arrival();
    const double seconds = seconds_between(act_began_, Instant::clock::now());

    const double packets = per_second(sent_, seconds);
    const double bits = per_second(file.octets, seconds) * 8;
    Json leaves = Json::array();
    report_.text(fmt::format("  {} datagrams in {:.2f} s: {}, {} of payload, to each leaf",
                             grouped(sent_), seconds, packet_rate(packets), bit_rate(bits)));
    for (const auto& leaf : leaves_) {
        const auto digest = leaf.sink.sha256().digest();
        const bool same = digest == file.sha256;
        leaves.push_back({{"leaf", leaf.port},
                          {"delivered", leaf.sink.datagrams()},
                          {"sha256", to_string(digest)},
                          {"same", same}});
        report_.text(fmt::format("  {}  {} of {} datagrams, SHA-256 {}: {}", leaf.name,
                                 grouped(leaf.sink.datagrams()), grouped(sent_), to_string(digest),
                                 same ? "the same" : "DIFFERENT"));
        if (!same) problem(fmt::format("{} does not hold the file", leaf.name));
    }
    report_.json({{"event", "file"},
                  {"octets", file.octets},
                  {"sha256", to_string(file.sha256)},
                  {"datagrams", sent_},
                  {"seconds", rounded(seconds)},
                  {"pps", rounded(packets)},
                  {"bps", rounded(bits)},
                  {"leaves", std::move(leaves)}});
}

void Story::begin(LeafSink::Work work) {
    for (auto& leaf : leaves_) leaf.sink.begin(work);
    sent_ = 0;
    act_began_ = rates_shown_ = Instant::clock::now();
    root_shown_ = runtime_.status().ports.at(kRootPort).counters;
}

void Story::send_file(TestFile& file, Root& root) {
    Input input(std::move(file.fd), "the temporary file");
    Idle idle(100us);
    std::array<SendBuffer, 32> held;
    std::size_t holds = 0;
    for (bool ended = false; !ended;) {
        check_stop();
        show_rates(Instant::clock::now(), file.octets);
        const bool may_send =
            options_.packets_per_second != 0 || sent_ - arrived() + held.size() <= kUnderWay;
        if (may_send) holds += root.sender.reserve(std::span(held).subspan(holds));
        if (!may_send || holds == 0) {
            idle.wait();
            continue;
        }
        idle.reset();
        const auto step = input.read(std::span(held).first(holds), held[0].capacity);
        root.sender.send(std::span(held).first(step.complete));
        sent_ += step.complete;
        std::copy(held.begin() + static_cast<std::ptrdiff_t>(step.complete),
                  held.begin() + static_cast<std::ptrdiff_t>(holds), held.begin());
        holds -= step.complete;
        ended = step.ended;
    }
    root.sender.cancel(std::span(held).first(holds));
}

void Story::show_rates(Instant now, std::uint64_t octets_in_all) {
    if (now - rates_shown_ < 1s) return;
    const Status status = runtime_.status();
    const auto& root = status.ports.at(kRootPort).counters;
    const double seconds = seconds_between(rates_shown_, now);
    const double packets = per_second(root.sent - root_shown_.sent, seconds);
    const double bits = per_second(root.sent_bytes - root_shown_.sent_bytes, seconds) * 8;
    std::string line = fmt::format("  {:3.0f} s  root {}, {}", seconds_between(act_began_, now),
                                   packet_rate(packets), bit_rate(bits));
    Json leaves = Json::array();
    for (const auto& leaf : leaves_) {
        const auto octets = leaf.sink.octets();
        leaves.push_back({{"leaf", leaf.port},
                          {"delivered", leaf.sink.datagrams()},
                          {"delivered_bytes", octets}});
        line +=
            fmt::format("   {} {:.0f} %", leaf.name,
                        100.0 * static_cast<double>(octets) / static_cast<double>(octets_in_all));
    }
    report_.text(line);
    if (!report_.options().quiet) {
        report_.json({{"event", "status"},
                      {"seconds", rounded(seconds_between(act_began_, now))},
                      {"sent", root.sent},
                      {"sent_bytes", root.sent_bytes},
                      {"pps", rounded(packets)},
                      {"bps", rounded(bits)},
                      {"leaves", std::move(leaves)}});
    }
    rates_shown_ = now;
    root_shown_ = root;
}

std::uint64_t Story::arrived() const {
    std::uint64_t fewest = sent_;
    for (const auto& leaf : leaves_) {
        if (leaf.listens) fewest = std::min(fewest, leaf.sink.datagrams());
    }
    return fewest;
}

void Story::wait_for_arrival() {
    Idle idle(1ms);
    std::uint64_t before = arrived();
    Instant moved = Instant::clock::now();
    while (before < sent_) {
        check_stop();
        idle.wait();
        const Instant now = Instant::clock::now();
        const std::uint64_t here = arrived();
        if (here != before) {
            moved = now;
        } else if (now - moved > kPatience) {
            return problem(fmt::format("{} of {} datagrams did not arrive", grouped(sent_ - here),
                                       grouped(sent_)));
        }
        before = here;
    }
}

void Story::send_stamped(Sender& sender, std::uint64_t count, Duration apart) {
    Instant due = Instant::clock::now();
    for (std::uint64_t number = 0; number < count; ++number) {
        std::this_thread::sleep_until(due);
        due += apart;
        check_stop();
        SendBuffer buffer;
        Idle idle(20us);
        while (sender.reserve({&buffer, 1}) == 0) {
            check_stop();
            idle.wait();
        }
        buffer.length = kStampedOctets;
        std::memset(buffer.data, 0, kStampedOctets);
        const Stamp stamp{.sent_at = nanoseconds(Instant::clock::now()), .number = number};
        std::memcpy(buffer.data, &stamp, sizeof stamp);
        sender.send({&buffer, 1});
        ++sent_;
    }
    wait_for_arrival();
}

void Story::measure_latency() {
    heading(
        fmt::format("{} datagrams of {} octets, {} a second: from the root's application to "
                    "the leaf's",
                    grouped(kStampedDatagrams), kStampedOctets, 1s / kStampedApart));
    report_.text(
        fmt::format("  through worker, switch thread and worker again, on {} CPUs; what "
                    "else runs on them shows in the tail",
                    std::thread::hardware_concurrency()));
    Root root = open_root(0);
    begin(LeafSink::Work::measure);
    send_stamped(root.sender, kStampedDatagrams, kStampedApart);
    for (const auto& leaf : leaves_) {
        const LatencyDigest latency = leaf.sink.latencies().digest();
        report_.json({{"event", "latency"},
                      {"leaf", leaf.port},
                      {"datagrams", latency.count},
                      {"p50_us", rounded(microseconds(latency.median))},
                      {"p99_us", rounded(microseconds(latency.p99))},
                      {"p99_9_us", rounded(microseconds(latency.p999))},
                      {"max_us", rounded(microseconds(latency.longest))}});
        report_.text(
            fmt::format("  {}  p50 {:.1f} us   p99 {:.1f} us   p99.9 {:.1f} us   max "
                        "{:.1f} us",
                        leaf.name, microseconds(latency.median), microseconds(latency.p99),
                        microseconds(latency.p999), microseconds(latency.longest)));
        if (leaf.sink.out_of_order() != 0) {
            problem(fmt::format("{} datagrams reached {} out of order", leaf.sink.out_of_order(),
                                leaf.name));
        }
    }
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
