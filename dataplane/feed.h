// A leaf's end of a MoldUDP64 feed: datagrams of its lines in, messages in order and requests for
// what is missing out. Pure: time comes in.
#pragma once

#include <dataplane/arbitrate.h>
#include <dataplane/recover.h>
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace joinleaf::dataplane {

struct FeedOptions {
    ArbiterOptions arbiter;
    RecoveryOptions recovery;
};

/// For each datagram: arrive(), then next() until it returns false. In between, and at
/// next_deadline() at the latest: advance(), send the request if there is one, then next() until it
/// returns false. Allocates in the constructor alone. One owner.
class Feed {
public:
    /// `seed`: of each leaf another.
    Feed(const FeedOptions& options, std::uint64_t seed)
        : arbiter_(options.arbiter), recovery_(options.recovery, seed) {}

    /// A datagram's payload, all in one piece, by a line, or an answer by Arbiter::kRepair; it came
    /// from the wire at `received`. True: it is kept, and its handle comes back by next(). Of a
    /// copy that is of no use any more the header alone is read.
    bool arrive(std::uint8_t line, std::span<const std::byte> payload, PacketHandle handle,
                Instant now, Instant received) noexcept {
        const auto packet = net::parse_mold_header(payload);
        if (!packet) [[unlikely]] {
            ++errors_[static_cast<std::size_t>(packet.error())];
            return false;
        }
        if (!arbiter_.has_all_of(*packet)) {
            if (const auto error = net::check_mold(payload, *packet)) [[unlikely]] {
                ++errors_[static_cast<std::size_t>(*error)];
                return false;
            }
        }
        if (line == Arbiter::kRepair && !recovery_.answered(*packet, now)) return false;
        const Fate fate = arbiter_.arrive(line, *packet, handle, now, received);
        return fate == Fate::taken || fate == Fate::held;
    }
    bool arrive(std::uint8_t line, std::span<const std::byte> payload, PacketHandle handle,
                Instant now) noexcept {
        return arrive(line, payload, handle, now, now);
    }
    bool next(FeedItem& item) noexcept { return arbiter_.next(item); }
    std::optional<net::MoldRequest> advance(Instant now) noexcept {
        arbiter_.advance(now);
        return recovery_.advance(arbiter_, now);
    }
    [[nodiscard]] std::optional<Instant> next_deadline() const noexcept {
        const auto recovers = recovery_.next_deadline(arbiter_);
        const auto switches = arbiter_.next_deadline();
        return recovers && switches ? std::min(recovers, switches) : recovers ? recovers : switches;
    }
    /// The server has told, by admission, that its history of `session` begins there.
    void history_begins(const net::MoldSession& session, std::uint64_t sequence) noexcept {
        recovery_.history_begins(session, sequence);
    }

    /// Nothing is delivered any more, and what is held comes back by next().
    void stop() noexcept { arbiter_.stop(); }

    [[nodiscard]] const Arbiter& arbiter() const noexcept { return arbiter_; }
    [[nodiscard]] const Recovery& recovery() const noexcept { return recovery_; }
    /// Datagrams that were dropped whole.
    [[nodiscard]] std::uint64_t count(net::MoldError error) const noexcept {
        return errors_[static_cast<std::size_t>(error)];
    }

private:
    Arbiter arbiter_;
    Recovery recovery_;
    std::array<std::uint64_t, net::kMoldErrorCount> errors_{};
};

}  // namespace joinleaf::dataplane
