// A root, its repair server and some leaves on a network that loses, delays, reorders and doubles,
// all from one seed.
#pragma once

#include <controlplane/repair.h>
#include <dataplane/feed.h>
#include <dataplane/feed_source.h>
#include <dataplane/message_log.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/admission/simulation/chance.h"

namespace joinleaf::feed_simulation {

using controlplane::simulation::Chance;
using dataplane::FeedItem;

struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};
inline void demand(bool condition, const std::string& what) {
    if (!condition) throw Violation(what);
}

/// A way from one place to another.
struct Path {
    unsigned loss_percent = 0;
    unsigned burst_percent = 0;  ///< chance that a packet begins a burst of losses
    unsigned double_percent = 0;
    Duration delay{};
    Duration jitter{};  ///< packets overtake each other by so much
    int burst_left = 0;

    [[nodiscard]] bool loses(Chance& chance);
};

/// What a seed is about. Each but `anything` is a promise that holds under its conditions.
enum class Theme : std::uint8_t {
    one_line_loses,     ///< the other does not: no request, no gap
    repair_is_perfect,  ///< all lines lose: no gap, no more sent again than was lost, and soon
    nobody_repairs,     ///< each message or a gap, in bounded time
    strays,             ///< as repair_is_perfect, whatever else is heard of sequences far away
    anything,
};

/// One leaf, and all that must be true of what it is told.
class Leaf {
public:
    Leaf(const dataplane::FeedOptions& how, std::uint64_t seed)
        : feed(how, seed), options(how.arbiter) {}

    void arrive(std::uint8_t line, std::shared_ptr<const std::vector<std::byte>> bytes,
                Instant now);
    void take(Instant now);

    dataplane::Feed feed;
    dataplane::ArbiterOptions options;
    std::vector<Path> lines;
    Path to_server, from_server;
    Ipv4Address address;
    std::optional<Instant> wake;
    bool is_admitted = true;  ///< and is told where the history begins
    bool is_frozen = false;
    std::vector<std::pair<std::uint8_t, std::shared_ptr<const std::vector<std::byte>>>> unread;
    std::function<void(const std::string&)> trace;

    bool has_session = false;
    unsigned session = 0;
    std::uint64_t expected = 0;
    bool ended = false;
    std::uint64_t gaps = 0, requests = 0, recovered = 0, late = 0;
    std::uint64_t strays = 0;  // that it has heard
    Duration longest_wait{};

private:
    void check(const FeedItem& item, Instant now);
    void check_messages(const FeedItem& item) const;

    std::multimap<void*, std::shared_ptr<const std::vector<std::byte>>> kept_;
    std::set<std::uint64_t> told_lost_;  // those that may still come late
};

class Simulation {
public:
    explicit Simulation(std::uint64_t seed, std::ostream* trace = nullptr);

    /// Throws Violation.
    void run();

private:
    using Bytes = std::shared_ptr<const std::vector<std::byte>>;

    void start_root();
    void kill_root();
    void publish_some();
    void root_turns();
    void send(Bytes bytes);
    void deliver(Leaf& leaf, std::uint8_t line, const Bytes& bytes);
    void leaf_turns(Leaf& leaf);
    void serve(Leaf& leaf, const Bytes& request);
    void add_leaf();
    void trouble();
    void freeze(Leaf& leaf);
    void mislead(Leaf& leaf);
    void check_end();

    void at(Duration in, std::function<void()> what) {
        events_.emplace(now_ + in, std::move(what));
    }
    // Once at `when`, however often it is asked for; sooner if that is asked for later.
    void wake_at(std::optional<Instant>& wake, Instant when, std::function<void()> what);
    void run_for(Duration time);
    void over(Path& path, const std::function<void()>& what);
    void tell(const std::string& what);

    Chance chance_;
    std::ostream* trace_;
    Theme theme_;
    Instant now_{Duration(std::chrono::hours(1000))};
    std::multimap<Instant, std::function<void()>> events_;
    std::size_t line_count_;
    bool calm_ = false;

    unsigned session_ = 0;
    std::unique_ptr<dataplane::MessageLog> log_;
    std::optional<dataplane::FeedSource> source_;
    std::optional<Instant> root_wake_;
    std::optional<controlplane::RepairServer> server_;
    std::vector<std::unique_ptr<Leaf>> leaves_;
    // By leaf: the messages of the packets that no line brought.
    std::map<const Leaf*, std::uint64_t> lost_on_all_;
    std::uint64_t stray_count_ = 0;
};

/// What went wrong with `seed`; nothing if nothing did.
[[nodiscard]] std::optional<std::string> failure_of(std::uint64_t seed,
                                                    std::ostream* trace = nullptr);

}  // namespace joinleaf::feed_simulation
