#include "tests/unit/feed/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace joinleaf::feed_simulation {
namespace {

using namespace std::chrono_literals;
using dataplane::Arbiter;
using dataplane::GapPolicy;
using dataplane::StartAt;

constexpr std::size_t kCapacity = 300;
constexpr Duration kSkew = 1ms;
constexpr Duration kReordering = 200us;
constexpr Duration kDeadline = 50ms;
constexpr std::size_t kWindow = 256;
constexpr std::size_t kUnread = 100;
constexpr std::uint64_t kBelievedJump = 2000;

net::MoldSession session_name(unsigned number) {
    return net::MoldSession::from(fmt::format("S{}", number)).value();
}

// A message says whose it is, and has a length of its own.
std::vector<std::byte> message_of(unsigned session, std::uint64_t sequence) {
    std::vector<std::byte> bytes(12 + sequence * 7 % 50);
    net::store(bytes.data(), net::BigEndian<std::uint32_t>(session));
    net::store(bytes.data() + 4, net::BigEndian<std::uint64_t>(sequence));
    return bytes;
}

}  // namespace

bool Path::loses(Chance& chance) {
    if (burst_left > 0) {
        --burst_left;
        return true;
    }
    if (chance.percent(burst_percent)) burst_left = static_cast<int>(chance.below(20));
    return chance.percent(loss_percent);
}

// ---- A leaf ----

void Leaf::arrive(std::uint8_t line, std::shared_ptr<const std::vector<std::byte>> bytes,
                  Instant now) {
    void* const handle = const_cast<std::byte*>(bytes->data());
    if (feed.arrive(line, *bytes, handle, now)) kept_.emplace(handle, std::move(bytes));
    take(now);
}

void Leaf::take(Instant now) {
    FeedItem item;
    while (feed.next(item)) {
        check(item, now);
        if (!item.give_back) continue;
        const auto kept = kept_.find(item.handle);
        demand(kept != kept_.end(), "a packet is given back twice");
        kept_.erase(kept);
    }
    demand(kept_.size() == feed.arbiter().held(), "a packet is kept that is not held");
    demand(feed.arbiter().held() <= kWindow + 1, "the window is too large");
}

void Leaf::check(const FeedItem& item, Instant now) {
    switch (item.kind) {
        case FeedItem::Kind::session: {
            const auto number =
                static_cast<unsigned>(std::stoul(std::string(item.session.name().substr(1))));
            trace(fmt::format("follows S{} from {}", number, item.first));
            demand(!has_session || number > session, "a session comes back");
            demand(!has_session || item.first == 1, "a later session is not followed from 1");
            if (!has_session && options.start == StartAt::sequence) {
                demand(item.first == options.start_sequence, "starts elsewhere");
            }
            has_session = true;
            ended = false;
            session = number;
            expected = item.first;
            told_lost_.clear();
            break;
        }
        case FeedItem::Kind::messages:
            // The history may begin later than the leaf hoped, before it has delivered anything.
            if (options.start == StartAt::history && feed.arbiter().delivered() == item.count &&
                gaps == 0) {
                expected = std::max(expected, item.first);
            }
            demand(item.first == expected, fmt::format("{} comes, not {}", item.first, expected));
            check_messages(item);
            expected += item.count;
            longest_wait = std::max(longest_wait, Duration(now - item.arrived));
            if (item.line == Arbiter::kRepair) recovered += item.count;
            break;
        case FeedItem::Kind::late:
            demand(options.policy == GapPolicy::deliver_late, "something late is delivered");
            check_messages(item);
            late += item.count;
            for (std::uint64_t n = item.first; n < item.first + item.count; ++n) {
                demand(told_lost_.erase(n) == 1, fmt::format("{} comes again, late", n));
            }
            break;
        case FeedItem::Kind::gap:
            trace(fmt::format("has lost {} from {} on", item.count, item.first));
            if (options.start == StartAt::history && feed.arbiter().delivered() == 0 && gaps == 0) {
                expected = std::max(expected, item.first);
            }
            demand(item.first == expected, fmt::format("gap {}, not {}", item.first, expected));
            demand(item.count != 0, "an empty gap");
            for (std::uint64_t n = item.first;
                 n - item.first < std::min<std::uint64_t>(item.count, 100'000); ++n) {
                told_lost_.insert(n);
            }
            expected += item.count;
            ++gaps;
            break;
        case FeedItem::Kind::end:
            trace(fmt::format("is at the end, {}", item.first));
            demand(!ended && item.first == expected, "the end is elsewhere");
            ended = true;
            break;
        case FeedItem::Kind::stranger:
            trace(fmt::format("knows {} for a stranger", item.session.name()));
            break;
        case FeedItem::Kind::repeated:
            demand(false, "a session begins again");
            break;
        case FeedItem::Kind::discard:
            break;
    }
}

void Leaf::check_messages(const FeedItem& item) const {
    demand(item.count != 0 && item.count == item.messages.size(), "a wrong count");
    std::uint64_t sequence = item.first;
    for (const auto message : item.messages) {
        const auto wanted = message_of(session, sequence++);
        demand(std::ranges::equal(message, wanted), "a wrong message");
    }
}

// ---- The network ----

void Simulation::over(Path& path, const std::function<void()>& what) {
    const int copies = chance_.percent(path.double_percent) ? 2 : 1;
    for (int i = 0; i < copies; ++i) at(path.delay + chance_.between(0ns, path.jitter), what);
}

void Simulation::send(Bytes bytes) {
    const auto packet = net::parse_mold(*bytes);
    demand(packet.has_value(), "the root sends what is no packet");
    for (const auto& leaf : leaves_) {
        bool comes = false;
        for (std::uint8_t line = 0; line < line_count_; ++line) {
            Path& path = leaf->lines[line];
            if (path.loses(chance_) && !calm_) continue;
            comes = true;
            over(path, [this, to = leaf.get(), line, bytes] { deliver(*to, line, bytes); });
        }
        if (!comes) lost_on_all_[leaf.get()] += packet->messages.size();
    }
}

void Simulation::deliver(Leaf& leaf, std::uint8_t line, const Bytes& bytes) {
    if (leaf.is_frozen) {
        if (leaf.unread.size() < kUnread) leaf.unread.emplace_back(line, bytes);
        return;
    }
    leaf.arrive(line, bytes, now_);
    leaf_turns(leaf);
}

void Simulation::leaf_turns(Leaf& leaf) {
    if (leaf.is_frozen) return;
    while (const auto request = leaf.feed.advance(now_)) {
        ++leaf.requests;
        // A leaf that catches up may look for where the history begins.
        const Arbiter& arbiter = leaf.feed.arbiter();
        demand(request->sequence == arbiter.next_sequence() ||
                   (arbiter.is_catching_up() && request->sequence > arbiter.next_sequence() &&
                    request->sequence < arbiter.edge()),
               "asks for what is not missing");
        demand(request->count != 0, "asks for nothing");
        std::vector<std::byte> bytes(net::kMoldHeaderSize);
        net::emit_mold_request(*request, bytes.data());
        auto shared = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
        if (leaf.to_server.loses(chance_)) continue;
        over(leaf.to_server, [this, &leaf, shared] { serve(leaf, shared); });
    }
    leaf.take(now_);
    if (const auto next = leaf.feed.next_deadline()) {
        wake_at(leaf.wake, *next, [this, &leaf] { leaf_turns(leaf); });
    }
}

void Simulation::serve(Leaf& leaf, const Bytes& request) {
    if (!source_) return;  // the root is dead
    std::vector<std::byte> out(kCapacity);
    const auto answer = server_->serve(*log_, leaf.address, *request, out, now_);
    tell(fmt::format("repair: {}", name(answer.outcome)));
    if (answer.history_begins != 0 && leaf.is_admitted) {
        const auto session = session_name(session_);
        at(1ms, [this, &leaf, session, begins = answer.history_begins] {
            leaf.feed.history_begins(session, begins);
            leaf_turns(leaf);
        });
    }
    if (answer.packet.empty() || leaf.from_server.loses(chance_)) return;
    out.resize(answer.packet.size());
    const auto bytes = std::make_shared<const std::vector<std::byte>>(std::move(out));
    over(leaf.from_server, [this, &leaf, bytes] { deliver(leaf, Arbiter::kRepair, bytes); });
}

// ---- The root ----

void Simulation::start_root() {
    ++session_;
    tell(fmt::format("root starts S{}", session_));
    source_.reset();
    log_ = std::make_unique<dataplane::MessageLog>(
        session_name(session_), theme_ == Theme::anything ? 256 : 1 << 16, 1 << 18);
    source_.emplace(dataplane::PackOptions{.capacity = kCapacity,
                                           .flush_at = chance_.percent(50) ? 100u : 0u,
                                           .delay = chance_.between(0us, 500us)},
                    *log_, now_);
    RepairLimits limits{.capacity = kCapacity};
    if (theme_ == Theme::anything && chance_.percent(30)) {
        limits.leaf_octets_per_second = 20'000;
        limits.leaf_burst_octets = 1000;
        limits.refusals_per_second = limits.burst_refusals = 1;
        limits.quarantine = 500ms;
    }
    server_.emplace(limits, now_);
    root_turns();
}

void Simulation::kill_root() {
    tell("root is killed");
    source_.reset();
    at(chance_.between(1us, 2s), [this] { start_root(); });
}

void Simulation::publish_some() {
    if (!source_) return;
    for (std::size_t n = chance_.below(30); n > 0; --n) {
        const auto message = message_of(session_, log_->next_sequence());
        demand(log_->append(message), "a message is refused");
        // The worker looks now and then, whatever the application is at.
        if (chance_.percent(30)) log_->commit();
        if (chance_.percent(10)) root_turns();
    }
    log_->commit();
    if (chance_.percent(50)) source_->end_of_burst();
    root_turns();
}

void Simulation::root_turns() {
    if (!source_) return;
    while (source_->due(now_)) {
        std::vector<std::byte> datagram(kCapacity);
        SendBuffer buffer{.data = datagram.data(), .capacity = kCapacity};
        demand(source_->fill({&buffer, 1}, now_) == 1, "what is due is not there");
        source_->complete(1);
        datagram.resize(buffer.length);
        send(std::make_shared<const std::vector<std::byte>>(std::move(datagram)));
    }
    if (const auto next = source_->next_deadline(now_)) {
        wake_at(root_wake_, *next, [this] { root_turns(); });
    }
}

// ---- The whole ----

Simulation::Simulation(std::uint64_t seed, std::ostream* trace)
    : chance_(seed),
      trace_(trace),
      theme_(static_cast<Theme>(chance_.below(5))),
      line_count_(theme_ == Theme::one_line_loses ? 2 : 1 + chance_.below(3)) {}

void Simulation::tell(const std::string& what) {
    if (trace_ == nullptr) return;
    *trace_ << fmt::format("{:>14} {}\n", (now_.time_since_epoch() - 1000h).count(), what);
}

void Simulation::add_leaf() {
    dataplane::FeedOptions options{
        .arbiter = {.lines = line_count_, .window = kWindow, .believed_jump = kBelievedJump},
        .recovery = {.skew = kSkew, .reordering = kReordering, .deadline = kDeadline}};
    auto& arbiter = options.arbiter;
    Path path{.delay = 20us};
    Path repair{.delay = 100us};
    unsigned loss = static_cast<unsigned>(chance_.below(20));
    switch (theme_) {
        case Theme::one_line_loses:
            break;
        case Theme::repair_is_perfect:
        case Theme::strays:
            options.recovery.deadline = 10s;
            arbiter.window = 4096;
            break;
        case Theme::nobody_repairs:
            options.recovery.request = false;
            break;
        case Theme::anything:
            arbiter.start = chance_.one_of({StartAt::live, StartAt::sequence, StartAt::history});
            arbiter.start_sequence = 1 + chance_.below(600);
            arbiter.policy = chance_.one_of({GapPolicy::skip, GapPolicy::deliver_late,
                                             GapPolicy::deliver_late, GapPolicy::stop});
            repair = {.loss_percent = loss,
                      .burst_percent = static_cast<unsigned>(chance_.below(3)),
                      .double_percent = static_cast<unsigned>(chance_.below(20)),
                      .delay = chance_.between(10us, 5ms),
                      .jitter = chance_.between(0ns, 1ms)};
            path.delay = chance_.between(1us, 2ms);
            break;
    }
    auto leaf = std::make_unique<Leaf>(options, chance_.draw());
    leaf->is_admitted = theme_ != Theme::anything || chance_.percent(50);
    leaf->address = Ipv4Address(0x0a000001 + static_cast<std::uint32_t>(leaves_.size()));
    leaf->to_server = leaf->from_server = repair;
    leaf->trace = [this, number = leaves_.size()](const std::string& what) {
        tell(fmt::format("leaf {} {}", number, what));
    };
    for (std::size_t i = 0; i < line_count_; ++i) {
        Path line = path;
        line.double_percent = static_cast<unsigned>(chance_.below(10));
        line.jitter = chance_.between(0ns, theme_ == Theme::anything ? Duration(kSkew) : 150us);
        line.delay += chance_.between(0ns, kSkew / 2);
        if (theme_ != Theme::one_line_loses || i == 0) {
            line.loss_percent = loss;
            line.burst_percent = static_cast<unsigned>(chance_.below(3));
        }
        leaf->lines.push_back(line);
    }
    leaves_.push_back(std::move(leaf));
}

void Simulation::trouble() {
    if (theme_ == Theme::strays) mislead(*chance_.of(leaves_));
    if (theme_ != Theme::anything) return;
    Leaf& leaf = *chance_.of(leaves_);
    if (chance_.percent(2)) kill_root();
    if (chance_.percent(5) && !leaf.is_frozen) freeze(leaf);
    if (chance_.percent(2)) add_leaf();
    if (chance_.percent(1)) {
        leaf.trace("hears of a sequence far away");
        std::vector<std::byte> stray(net::kMoldHeaderSize);
        // Near enough to be believed at once, or not.
        const std::uint64_t sequence =
            chance_.percent(50) && source_
                ? log_->next_sequence() + 1 + chance_.below(kBelievedJump)
                : chance_.draw() >> chance_.below(60) | 1;
        net::emit_mold_header(session_name(session_), sequence, 0, stray.data());
        deliver(leaf, 0, std::make_shared<const std::vector<std::byte>>(std::move(stray)));
    }
    if (chance_.percent(2)) {
        for (Path& line : leaf.lines) line.burst_left = 30;
    }
}

void Simulation::freeze(Leaf& leaf) {
    const bool is_long = chance_.percent(10);
    leaf.trace(is_long ? "freezes for 10 s" : "freezes");
    leaf.is_frozen = true;
    at(is_long ? 10s : chance_.between(1ms, 1s), [this, &leaf] {
        leaf.trace("thaws");
        leaf.is_frozen = false;
        for (const auto& [line, bytes] : std::exchange(leaf.unread, {})) {
            leaf.arrive(line, bytes, now_);
        }
        leaf_turns(leaf);
    });
}

// A packet, of whatever kind, whose sequence nobody published, no two of which agree; or some in a
// row, of a session that is none.
void Simulation::mislead(Leaf& leaf) {
    const std::uint64_t sequence =
        log_->next_sequence() + (1 + ++stray_count_) * 10 * kBelievedJump;
    if (chance_.percent(30)) {
        const auto session = static_cast<unsigned>(1000 + stray_count_);
        leaf.trace(fmt::format("is misled to S{}", session));
        for (std::uint64_t n = 1 + chance_.below(5); n > 0; --n) {
            std::vector<std::byte> stray(net::kMoldHeaderSize + net::kMoldLengthSize);
            net::emit_mold_header(session_name(session), n, 1, stray.data());
            deliver(leaf, static_cast<std::uint8_t>(chance_.below(line_count_)),
                    std::make_shared<const std::vector<std::byte>>(std::move(stray)));
        }
        return;
    }
    leaf.trace(fmt::format("is misled to {}", sequence));
    const std::uint16_t count =
        chance_.one_of({std::uint16_t{0}, std::uint16_t{1}, net::kMoldEndOfSession});
    std::vector<std::byte> stray(net::kMoldHeaderSize + (count == 1 ? net::kMoldLengthSize : 0));
    net::emit_mold_header(session_name(session_), sequence, count, stray.data());
    const auto shared = std::make_shared<const std::vector<std::byte>>(std::move(stray));
    const auto line = static_cast<std::uint8_t>(chance_.below(line_count_));
    deliver(leaf, line, shared);
    ++leaf.strays;
    if (!chance_.percent(20)) return;
    deliver(leaf, line, shared);  // as networks do
    ++leaf.strays;
}

void Simulation::wake_at(std::optional<Instant>& wake, Instant when, std::function<void()> what) {
    when = std::max(when, now_ + Duration(1));
    if (wake && *wake <= when) return;
    wake = when;
    at(when - now_, [&wake, when, what = std::move(what)] {
        if (wake != when) return;
        wake.reset();
        what();
    });
}

void Simulation::run_for(Duration time) {
    const Instant end = now_ + time;
    while (!events_.empty() && events_.begin()->first <= end) {
        now_ = std::max(now_, events_.begin()->first);
        const auto what = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        what();
    }
    now_ = end;
}

void Simulation::run() {
    for (std::size_t n = 1 + chance_.below(3); n > 0; --n) add_leaf();
    // So that each leaf is there from the first packet on, and hears it by all its lines.
    calm_ = true;
    start_root();
    run_for(10ms);
    calm_ = false;
    for (int step = 0; step < 150; ++step) {
        publish_some();
        if (chance_.percent(30)) trouble();
        run_for(chance_.percent(10) ? chance_.between(0ms, 300ms) : chance_.between(0us, 1ms));
    }
    // All is well from here on, and everybody comes to the end, also who was frozen for long.
    run_for(15s);
    calm_ = true;
    for (const auto& leaf : leaves_)
        leaf->to_server.loss_percent = leaf->from_server.loss_percent = 0;
    demand(source_.has_value(), "the root does not come back");
    source_->end();
    root_turns();
    root_turns();
    run_for(60s);
    check_end();
}

void Simulation::check_end() {
    for (const auto& leaf : leaves_) {
        const Arbiter& arbiter = leaf->feed.arbiter();
        if (arbiter.is_stopped()) continue;
        demand(leaf->has_session && leaf->session == session_, "a leaf is in another session");
        if (leaf->expected <= log_->next_sequence()) {
            demand(leaf->ended, "a leaf has not come to the end");
            demand(leaf->expected == log_->next_sequence(), "a leaf ends elsewhere");
        }
        demand(arbiter.held() == 0 && !arbiter.hole(), "something is still missing");
        const std::uint64_t lost = lost_on_all_[leaf.get()];
        switch (theme_) {
            case Theme::one_line_loses:
                demand(leaf->requests == 0, "asks though one line has it all");
                demand(leaf->gaps == 0, "a gap though one line has it all");
                break;
            case Theme::repair_is_perfect:
                demand(leaf->gaps == 0, "a gap though all is sent again");
                demand(leaf->longest_wait < kDeadline, "is sent again late");
                demand(leaf->recovered == lost,
                       fmt::format("{} recovered of {} lost", leaf->recovered, lost));
                break;
            case Theme::strays:
                demand(leaf->gaps == 0, "a gap because of a stray");
                demand(leaf->recovered == lost, "asks for what a stray has told of");
                demand(arbiter.count(dataplane::Fate::unconfirmed) == leaf->strays,
                       "a stray is believed");
                demand(arbiter.count(dataplane::Fate::old_session) == 0, "follows a stray");
                break;
            case Theme::nobody_repairs:
                demand(arbiter.lost() == lost,
                       fmt::format("{} told of {} lost", arbiter.lost(), lost));
                demand(leaf->longest_wait <= kDeadline + 2 * kSkew, "waits too long");
                break;
            case Theme::anything:
                break;
        }
    }
    if (theme_ == Theme::repair_is_perfect || theme_ == Theme::strays) {
        std::uint64_t lost = 0;
        for (const auto& [leaf, count] : lost_on_all_) lost += count;
        demand(server_->counters().messages == lost, "more is sent again than was lost");
    }
}

std::optional<std::string> failure_of(std::uint64_t seed, std::ostream* trace) {
    try {
        Simulation(seed, trace).run();
        return std::nullopt;
    } catch (const Violation& violation) {
        return violation.what();
    }
}

}  // namespace joinleaf::feed_simulation
