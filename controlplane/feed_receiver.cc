// FeedReceiver: its receivers, its repair socket and its clock around the pump; and its status.
#include <joinleaf/feed_receiver.h>

#include <controlplane/receiver_impl.h>
#include <controlplane/repair_client.h>
#include <dataplane/feed_pump.h>
#include <dataplane/published.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <random>

namespace joinleaf {
namespace {

using controlplane::RepairClient;
using dataplane::Arbiter;
using dataplane::FeedPump;

constexpr Duration kPublishEvery = std::chrono::milliseconds(1);

// All counters of one moment, as plain values.
struct Counters {
    Instant taken_at{};
    std::array<char, net::MoldSession::kSize> session{};
    std::size_t session_length = 0;
    std::uint64_t next_sequence = 0, known_end = 0, held = 0;
    bool catching_up = false, stopped = false;
    std::uint64_t delivered = 0, delivered_late = 0, gaps = 0, lost = 0;
    std::array<SocketId, FeedReceiver::kMaxLines> sockets{};
    std::array<LineCounters, FeedReceiver::kMaxLines> lines{};
    LineCounters repaired;
    RecoveryCounters recovery;
    std::array<std::uint64_t, dataplane::kFateCount> fates{};
    std::array<std::uint64_t, net::kMoldErrorCount> malformed{};
    std::array<std::uint64_t, dataplane::kPumpDropCount> dropped{};
};

template <class Name, std::size_t N>
std::vector<NamedCount> named(const std::array<std::uint64_t, N>& counts) {
    std::vector<NamedCount> all;
    all.reserve(N);
    for (std::size_t i = 0; i < N; ++i) all.push_back({name(static_cast<Name>(i)), counts[i]});
    return all;
}

template <std::size_t N, class Count>
void copy_counts(std::array<std::uint64_t, N>& to, Count count) {
    for (std::size_t i = 0; i < N; ++i) to[i] = count(i);
}

std::uint64_t chance() {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
}

}  // namespace

class FeedReceiver::Impl {
public:
    Impl(const dataplane::FeedPumpOptions& options,
         std::vector<std::shared_ptr<Receiver::Impl>> sources, std::optional<RepairClient> repair,
         Duration answers_for)
        : sources_(std::move(sources)),
          repair_(std::move(repair)),
          answers_for_(answers_for),
          pump_(options, chance()) {
        sources_.front()->feed.begin([this] { return status(); });
    }
    ~Impl() {
        sources_.front()->feed.end();
        pump_.stop();
        give_back();
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    std::size_t receive(std::span<FeedEvent> out) noexcept;
    void history_begins(std::string_view session, std::uint64_t sequence) noexcept;
    void set_line(std::size_t line, SocketId socket) noexcept { pump_.set_line(line, socket); }
    void publish(Instant now) noexcept;
    [[nodiscard]] FeedStatus status() const;

private:
    void give_back() noexcept;
    void fetch() noexcept;
    void read_answers(Instant now) noexcept;
    void ask(const net::MoldRequest& request, Instant now) noexcept;

    std::vector<std::shared_ptr<Receiver::Impl>> sources_;
    std::optional<RepairClient> repair_;
    Duration answers_for_;  // so long after the last request an answer is looked for
    bool is_waiting_ = false;
    Instant asked_at_{};
    FeedPump pump_;
    Instant published_at_{};
    dataplane::Published<Counters> published_;
};

// ---- The path ----

std::size_t FeedReceiver::Impl::receive(std::span<FeedEvent> out) noexcept {
    const Instant now = std::chrono::steady_clock::now();
    give_back();
    fetch();
    if (is_waiting_) [[unlikely]]
        read_answers(now);
    std::size_t n = pump_.take(out, now);
    if (pump_.is_drained() && pump_.may_advance()) {
        if (const auto request = pump_.advance(now)) [[unlikely]]
            ask(*request, now);
        n += pump_.take(out.subspan(n), now);
    }
    if (n != 0) pump_.handed_over(out.first(n), std::chrono::steady_clock::now());
    if (now - published_at_ >= kPublishEvery) publish(now);
    return n;
}

void FeedReceiver::Impl::give_back() noexcept {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        if (const auto unused = pump_.unused(i); !unused.empty()) {
            sources_[i]->queue.release(unused);
        }
    }
    pump_.forget_unused();
}

void FeedReceiver::Impl::fetch() noexcept {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        const auto room = pump_.room(i);
        if (!room.empty()) pump_.filled(i, sources_[i]->queue.receive(room));
    }
}

void FeedReceiver::Impl::read_answers(Instant now) noexcept {
    const auto room = pump_.answer_room();
    if (room.empty()) return;
    if (const auto octets = repair_->receive(room)) {
        pump_.answer(*octets);
    } else if (!pump_.feed().arbiter().has_hole() || now - asked_at_ > answers_for_) {
        is_waiting_ = false;
    }
}

void FeedReceiver::Impl::ask(const net::MoldRequest& request, Instant now) noexcept {
    repair_->send(request);
    is_waiting_ = true;
    asked_at_ = now;
}

void FeedReceiver::Impl::history_begins(std::string_view session, std::uint64_t sequence) noexcept {
    // Of a session that can be none nothing is missing.
    if (const auto name = net::MoldSession::from(session)) pump_.history_begins(*name, sequence);
}

// ---- The status ----

void FeedReceiver::Impl::publish(Instant now) noexcept {
    const Arbiter& arbiter = pump_.feed().arbiter();
    Counters all;
    all.taken_at = published_at_ = now;
    if (const auto session = arbiter.session()) {
        const auto name = session->name();
        std::ranges::copy(name, all.session.begin());
        all.session_length = name.size();
    }
    all.next_sequence = arbiter.next_sequence();
    all.known_end = arbiter.edge();
    all.held = arbiter.held();
    all.catching_up = arbiter.is_catching_up();
    all.stopped = arbiter.is_stopped();
    all.delivered = arbiter.delivered();
    all.delivered_late = arbiter.delivered_late();
    all.gaps = arbiter.gaps();
    all.lost = arbiter.lost();
    for (std::uint8_t line = 0; line < pump_.lines(); ++line) {
        all.sockets[line] = pump_.socket(line);
        all.lines[line] = arbiter.line(line);
    }
    all.repaired = arbiter.line(Arbiter::kRepair);
    all.recovery = pump_.feed().recovery().counters();
    if (repair_) {
        const auto& counters = repair_->counters();
        all.recovery.answers = counters.answers;
        all.recovery.strangers = counters.strangers;
        all.recovery.too_long = counters.too_long;
        all.recovery.unsent = counters.unsent;
    }
    copy_counts(all.fates,
                [&](std::size_t i) { return arbiter.count(static_cast<dataplane::Fate>(i)); });
    copy_counts(all.malformed,
                [&](std::size_t i) { return pump_.feed().count(static_cast<net::MoldError>(i)); });
    copy_counts(all.dropped,
                [&](std::size_t i) { return pump_.count(static_cast<dataplane::PumpDrop>(i)); });
    published_.publish(all);
}

FeedStatus FeedReceiver::Impl::status() const {
    const Counters all = published_.read();
    FeedStatus status{.taken_at = all.taken_at,
                      .session = std::string(all.session.data(), all.session_length),
                      .next_sequence = all.next_sequence,
                      .known_end = all.known_end,
                      .held = all.held,
                      .catching_up = all.catching_up,
                      .stopped = all.stopped,
                      .delivered = all.delivered,
                      .delivered_late = all.delivered_late,
                      .gaps = all.gaps,
                      .lost = all.lost,
                      .lines = {},
                      .repaired = all.repaired,
                      .recovery = all.recovery,
                      .fates = named<dataplane::Fate>(all.fates),
                      .malformed = named<net::MoldError>(all.malformed),
                      .dropped = named<dataplane::PumpDrop>(all.dropped),
                      .latency = pump_.latency()};
    for (std::uint8_t line = 0; line < pump_.lines(); ++line) {
        status.lines.push_back(
            {all.sockets[line], all.lines[line], pump_.feed().arbiter().skew(line)});
    }
    return status;
}

// ---- Set-up ----

namespace {

// What the options mean to the pump; its sources are filled in with `sources`.
Result<dataplane::FeedPumpOptions> pump_options(
    const FeedReceiverOptions& options, std::vector<std::shared_ptr<Receiver::Impl>>& sources) {
    const auto invalid = failure(std::errc::invalid_argument);
    if (options.lines.empty() || options.lines.size() > FeedReceiver::kMaxLines) return invalid;
    if (options.start_sequence == 0 || options.spare_octets < net::kMoldHeaderSize) return invalid;
    dataplane::FeedPumpOptions pump{
        .feed = {.arbiter = {.start = options.start,
                             .start_sequence = options.start_sequence,
                             .policy = options.on_gap,
                             .believed_jump = options.believed_jump,
                             .session_doubt = options.session_doubt},
                 .recovery = {.skew = options.skew,
                              .reordering = options.reordering,
                              .request = options.repair.has_value(),
                              .deadline = options.gap_deadline}},
        .spare_buffers = options.spare_buffers,
        .spare_octets = options.spare_octets,
        .copy = [](const Datagram& datagram, std::span<std::byte> out) noexcept {
            return datagram.copy_to(out);
        }};
    if (!options.session.empty()) {
        const auto session = net::MoldSession::from(options.session);
        if (!session) return invalid;
        pump.feed.arbiter.session = *session;
    }
    if (const auto& repair = options.repair) {
        if (repair->most_messages == 0 || repair->retry_first <= Duration::zero()) return invalid;
        pump.feed.recovery.request_delay = repair->request_delay;
        pump.feed.recovery.retry_first = repair->retry_first;
        pump.feed.recovery.retry_most = repair->retry_most;
        pump.feed.recovery.most_messages = repair->most_messages;
    }
    std::size_t least = std::numeric_limits<std::size_t>::max();
    for (const FeedLine& line : options.lines) {
        if (line.receiver == nullptr || !line.receiver->impl()) return invalid;
        const auto& receiver = line.receiver->impl();
        const auto found = std::ranges::find(sources, receiver);
        pump.lines.push_back({line.socket, static_cast<std::size_t>(found - sources.begin())});
        if (found != sources.end()) continue;
        sources.push_back(receiver);
        pump.sources.push_back(receiver->queue.capacity());
        least = std::min(least, receiver->queue.capacity());
    }
    // Rounded down to what a window can be, so that it stays below the capacity.
    const std::size_t window =
        options.window == 0 ? std::max<std::size_t>(least / 2, 1) : std::bit_floor(options.window);
    if (window >= least) return invalid;
    pump.feed.arbiter.window = window;
    return pump;
}

}  // namespace

Result<FeedReceiver> FeedReceiver::open(const FeedReceiverOptions& options) {
    std::vector<std::shared_ptr<Receiver::Impl>> sources;
    const auto pump = pump_options(options, sources);
    if (!pump) return tl::unexpected(pump.error());
    std::optional<RepairClient> repair;
    Duration answers_for{};
    if (options.repair) {
        auto client = RepairClient::open(options.repair->server, options.repair->local);
        if (!client) return tl::unexpected(client.error());
        repair.emplace(std::move(*client));
        answers_for = 2 * options.repair->retry_most;
    }
    return FeedReceiver(
        std::make_unique<Impl>(*pump, std::move(sources), std::move(repair), answers_for));
}

FeedReceiver::FeedReceiver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FeedReceiver::FeedReceiver() noexcept = default;
FeedReceiver::FeedReceiver(FeedReceiver&&) noexcept = default;
FeedReceiver& FeedReceiver::operator=(FeedReceiver&&) noexcept = default;
FeedReceiver::~FeedReceiver() = default;

std::size_t FeedReceiver::receive(std::span<FeedEvent> out) noexcept {
    return impl_ ? impl_->receive(out) : 0;
}
void FeedReceiver::history_begins(std::string_view session, std::uint64_t sequence) noexcept {
    if (impl_) impl_->history_begins(session, sequence);
}
void FeedReceiver::set_line(std::size_t line, SocketId socket) noexcept {
    if (impl_) impl_->set_line(line, socket);
}
FeedStatus FeedReceiver::status() const { return impl_ ? impl_->status() : FeedStatus(); }
void FeedReceiver::publish_status() noexcept {
    if (impl_) impl_->publish(std::chrono::steady_clock::now());
}

}  // namespace joinleaf
