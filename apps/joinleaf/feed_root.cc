// A root's sequenced feed.
#include <apps/joinleaf/feed_root.h>
#include <apps/joinleaf/memory.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/publisher.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <bit>
#include <ctime>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kStuck = 5s;
constexpr int kLookMs = 20;
constexpr int kWaitMs = 200;            // for a quiet input, between two looks at the clock
constexpr auto kLongestSleep = 50ms;    // likewise, for a message that is not due yet
constexpr auto kSleepTooCoarse = 80us;  // a message due sooner is waited for awake
constexpr auto kLastMessages = 1s;      // to let them out, once a signal or a failure came
constexpr auto kEndAtLeast = 200ms;     // for the end of the session, likewise

/// Before the time of the start, in the name of a session that was given none.
constexpr std::string_view kSessionPrefix = "JL";

std::string session_of_now() {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
    const auto session =
        net::MoldSession::started_at(kSessionPrefix, static_cast<std::uint64_t>(milliseconds));
    return std::string(session.value().name());
}

}  // namespace

SenderOptions feed_sender_options(const Publishing& publishing, const FeedPublishing& feed) {
    SenderOptions sender = sender_options(publishing);
    sender.framing = Framing::moldudp64;
    if (!feed.line_port) sender.also = feed.lines;
    return sender;
}

SenderOptions line_sender_options(const Publishing& publishing, const FeedPublishing& feed) {
    SenderOptions sender = sender_options(publishing);
    sender.framing = Framing::moldudp64;
    sender.also = {feed.lines.begin() + 1, feed.lines.end()};
    return sender;
}

FeedPublisherOptions publisher_options(const FeedPublishing& feed, std::vector<Socket> lines) {
    FeedPublisherOptions options{.session = feed.session.empty() ? session_of_now() : feed.session,
                                 .also_by = std::move(lines)};
    options.flush_at = feed.flush_at.value_or(0);
    options.delay =
        feed.delay.value_or(std::chrono::duration_cast<std::chrono::microseconds>(options.delay));
    if (feed.heartbeat) options.heartbeat = *feed.heartbeat;
    if (feed.end_for) options.end_for = *feed.end_for;
    if (const auto& repair = feed.repair) {
        options.repair = repair_server_options(*repair);
        options.history_messages = repair->messages.value_or(options.history_messages);
        options.history_octets = repair->octets.value_or(options.history_octets);
    }
    return options;
}

void check_history(const FeedServing& serving) {
    // A ring is as large as the next power of two; of each message its place is kept beside it.
    if (serving.octets) must_be_available(std::bit_ceil(*serving.octets), "--history-octets");
    if (serving.messages) {
        must_be_available(std::bit_ceil(*serving.messages + 1) * sizeof(std::uint64_t),
                          "--history-messages");
    }
}

RepairServerOptions repair_server_options(const FeedServing& serving) {
    RepairServerOptions options{{serving.listen.address, serving.listen.port}};
    RepairLimits& limits = options.limits;
    // What goes out at once is a quarter of a second of a low rate, so that the rate means
    // something soon; an answer of any size at least.
    const auto set = [](std::uint64_t bits, std::uint64_t& rate, std::uint64_t& burst) {
        constexpr std::uint64_t kLeastBurst = 65536;
        rate = std::max<std::uint64_t>(bits / 8, 1);
        burst = std::min(burst, std::max(rate / 4, kLeastBurst));
    };
    if (serving.rate) set(*serving.rate, limits.octets_per_second, limits.burst_octets);
    if (serving.leaf_rate) {
        set(*serving.leaf_rate, limits.leaf_octets_per_second, limits.leaf_burst_octets);
    }
    return options;
}

void offer_feed(const FeedPublishing& feed, SessionOffer& offer) {
    offer.framing = Framing::moldudp64;
    if (feed.offer) offer.repair = UdpEndpoint{feed.offer->address, feed.offer->port};
    const Ipv4Address source = feed.line_port ? feed.line_port->address.address : Ipv4Address();
    for (const auto& line : feed.lines) offer.also.push_back({line, source});
}

FeedRun::FeedRun(const FeedPublishing& feed, std::string port, MessageSource& input,
                 FeedPublisher publisher, Reporter& report, std::function<bool(Instant)> goes_on,
                 int end_fd)
    : feed_(feed),
      port_(std::move(port)),
      input_(input),
      publisher_(std::move(publisher)),
      report_(report),
      goes_on_(std::move(goes_on)),
      end_fd_(end_fd),
      pace_(feed.pace),
      delay_(publisher_options(feed, {}).delay),
      meter_(input.size()) {}

bool FeedRun::run() {
    bool ended = false;
    (void)progress(Instant::clock::now());  // what is told later is since now
    try {
        ended = publish_all();
    } catch (const Failure&) {
        (void)end_session(false);
        throw;
    }
    return end_session(ended);
}

bool FeedRun::publish_all() {
    while (goes_on_(Instant::clock::now())) {
        read_before_ = input_.octets();
        const auto messages = input_.read();
        batch_ = messages.size();
        batch_left_ = messages.size();
        tell_notes();
        if (!messages.empty()) {
            if (!publish(messages)) return false;
        } else if (input_.ended()) {
            return true;
        } else {
            wait_for_input();
        }
    }
    return false;
}

bool FeedRun::publish(std::span<const FeedMessage> messages) {
    while (!messages.empty()) {
        Duration wait{};
        const std::size_t due = count_due(messages, wait);
        if (!publish_due(messages.first(due))) return false;
        messages = messages.subspan(due);
        if (due == kBurst || messages.empty()) continue;
        if (wait > delay_) publisher_.end_of_burst();
        wait_for(wait);
        if (wait > kSleepTooCoarse && !goes_on_(Instant::clock::now())) return false;
    }
    return true;
}

std::size_t FeedRun::count_due(std::span<const FeedMessage> messages, Duration& wait) {
    const Instant now = Instant::clock::now();
    const std::size_t most = std::min(messages.size(), kBurst);
    for (std::size_t n = 0; n < most; ++n) {
        wait = pace_.wait(messages[n], now);
        if (wait > Duration::zero()) return n;
        pace_.sent();
    }
    return most;
}

bool FeedRun::publish_due(std::span<const FeedMessage> due) {
    const std::size_t longest = publisher_.longest_message();
    std::size_t filled = 0;
    for (const auto& message : due) {
        if (message.octets.size() > longest) break;
        burst_[filled++] = message.octets;
    }
    auto burst = std::span(burst_).first(filled);
    Instant moved = Instant::clock::now();
    while (!burst.empty()) {
        const std::size_t published = publisher_.publish(burst);
        for (const auto& message : burst.first(published)) octets_ += message.size();
        messages_ += published;
        batch_left_ -= published;
        burst = burst.subspan(published);
        if (published != 0) {
            last_at_ = moved;
            if (!first_at_) first_at_ = moved;
            idle_.reset();
            continue;
        }
        idle_.wait();
        const Instant now = Instant::clock::now();
        if (!goes_on_(now)) return false;
        if (now - moved > kStuck) throw stuck();
    }
    if (filled == due.size()) return true;
    throw Failure(fmt::format(
        "message {} has {} octets, and a datagram of this port holds one of at most {}; raise "
        "--mtu where the network carries it",
        grouped(messages_ + 1), due[filled].octets.size(), longest));
}

Failure FeedRun::stuck() const {
    return Failure(
        fmt::format("the port {} has taken nothing for 5 s; {} messages were not sent: "
                    "has it a link?",
                    port_, grouped(publisher_.in_flight())));
}

void FeedRun::wait_for(Duration wait) {
    if (wait <= kSleepTooCoarse) return;
    const auto sleep = std::min<Duration>(wait - kSleepTooCoarse, kLongestSleep);
    const timespec time{.tv_sec = 0, .tv_nsec = sleep.count()};
    pollfd signal{end_fd_, POLLIN, 0};
    ::ppoll(&signal, 1, &time, nullptr);
}

void FeedRun::wait_for_input() {
    publisher_.end_of_burst();
    std::array<pollfd, 2> waits{pollfd{input_.fd(), POLLIN, 0}, pollfd{end_fd_, POLLIN, 0}};
    ::poll(waits.data(), waits.size(), kWaitMs);
}

void FeedRun::tell_notes() {
    for (const auto& note : input_.take_notes()) report_.note(note);
}

bool FeedRun::end_session(bool in_full) {
    publisher_.end();
    in_full = wait_until_sent(in_full);
    const Instant earliest = Instant::clock::now() + kEndAtLeast;
    while (!publisher_.finished()) {
        const Instant now = Instant::clock::now();
        if (in_full) in_full = goes_on_(now);
        if (!in_full && now >= earliest) break;
        pollfd signal{in_full ? end_fd_ : -1, POLLIN, 0};
        ::poll(&signal, 1, kLookMs);
    }
    return in_full;
}

bool FeedRun::wait_until_sent(bool patient) {
    std::uint64_t before = publisher_.in_flight();
    const Instant began = Instant::clock::now();
    Instant moved = began;
    while (before != 0) {
        idle_.wait();
        const Instant now = Instant::clock::now();
        if (patient) patient = goes_on_(now);
        if (!patient && now - began > kLastMessages) return false;
        const std::uint64_t left = publisher_.in_flight();
        if (left != before) {
            moved = now;
            idle_.reset();
        } else if (patient && now - moved > kStuck) {
            throw stuck();
        }
        before = left;
    }
    return patient;
}

// What was read and is not published yet is not done with.
FeedProgress FeedRun::progress(Instant now) {
    std::uint64_t octets = input_.octets();
    if (batch_ != 0) octets -= (octets - read_before_) * batch_left_ / batch_;
    return meter_.look(messages_, octets, now);
}

FeedSent FeedRun::facts() const {
    return {.session = std::string(publisher_.session()),
            .messages = messages_,
            .octets = octets_,
            .behind = pace_.behind(),
            .replay = input_.replay()};
}

}  // namespace joinleaf::app
