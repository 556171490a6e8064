// The acts of the demonstration that move data: a file to both leaves, and stamped datagrams.
#include <apps/joinleaf/demo/story.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/idle.h>
#include <apps/joinleaf/numbers.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <thread>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

/// Datagrams between the root's socket and the slower leaf. A wire holds 4095, so that no port
/// ever has to wait for another, however the machine shares out its CPUs.
constexpr std::uint64_t kUnderWay = 1024;
constexpr std::size_t kStampedOctets = 64;

double microseconds(Duration duration) {
    return std::chrono::duration<double, std::micro>(duration).count();
}

}  // namespace

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

}  // namespace joinleaf::app
