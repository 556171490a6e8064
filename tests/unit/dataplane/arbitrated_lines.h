// An arbiter with its packets, for tests that say what arrives and look at what comes out.
#pragma once

#include <dataplane/arbitrate.h>
#include <fmt/format.h>

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/mold_packets.h"

namespace joinleaf::dataplane {

inline constexpr Instant kStart{std::chrono::hours(1000)};
inline constexpr std::uint8_t kA = 0, kB = 1;
inline constexpr Duration kDoubt = ArbiterOptions().session_doubt;

/// told() is what came out since it was last asked.
class Lines {
public:
    explicit Lines(ArbiterOptions options = {}) : arbiter(options) {}

    Fate data(std::uint8_t line, std::uint64_t first, std::uint16_t count,
              std::string_view session = "S1") {
        return arrive(line, test::mold_packet(session, first, count));
    }
    Fate heartbeat(std::uint8_t line, std::uint64_t next, std::string_view session = "S1") {
        return arrive(line, test::mold_packet(session, next, 0));
    }
    Fate end(std::uint8_t line, std::uint64_t next, std::string_view session = "S1") {
        return arrive(line, test::mold_packet(session, next, net::kMoldEndOfSession));
    }
    void advance() {
        arbiter.advance(now);
        take();
    }
    void give_up() {
        arbiter.give_up(now);
        take();
    }
    std::vector<std::string> told() { return std::exchange(told_, {}); }
    [[nodiscard]] std::size_t kept() const { return kept_.size(); }

    void take() {
        FeedItem item;
        while (arbiter.next(item)) {
            told_.push_back(describe(item));
            if (item.kind == FeedItem::Kind::session) session_begins = item.first;
            if (item.give_back && kept_.erase(item.handle) != 1) told_.push_back("TWICE");
        }
    }

    Arbiter arbiter;
    Instant now = kStart;
    std::uint64_t session_begins = 0;  ///< as was told last

private:
    Fate arrive(std::uint8_t line, std::vector<std::byte> bytes) {
        packets_.push_back(std::move(bytes));
        void* const handle = packets_.back().data();
        const auto packet = net::parse_mold(packets_.back());
        const Fate fate = arbiter.arrive(line, packet.value(), handle, now);
        if (fate == Fate::taken || fate == Fate::held) kept_.insert(handle);
        take();
        return fate;
    }
    static std::string describe(const FeedItem& item) {
        switch (item.kind) {
            case FeedItem::Kind::messages:
            case FeedItem::Kind::late: {
                std::uint64_t sequence = item.first;
                for (const auto message : item.messages) {
                    if (test::mold_number(message) != sequence++) return "WRONG MESSAGE";
                }
                if (sequence != item.first + item.count) return "WRONG COUNT";
                return fmt::format("{}{}+{}", item.kind == FeedItem::Kind::late ? "late " : "",
                                   item.first, item.count);
            }
            case FeedItem::Kind::gap:
                return fmt::format("gap {}+{}", item.first, item.count);
            case FeedItem::Kind::session:
                return std::string(item.session.name());
            case FeedItem::Kind::end:
                return fmt::format("end {}", item.first);
            case FeedItem::Kind::stranger:
                return fmt::format("stranger {}", item.session.name());
            case FeedItem::Kind::repeated:
                return fmt::format("repeated {}", item.session.name());
            case FeedItem::Kind::discard:
                break;
        }
        return "discard";
    }

    std::vector<std::vector<std::byte>> packets_;
    std::set<void*> kept_;
    std::vector<std::string> told_;
};

}  // namespace joinleaf::dataplane
