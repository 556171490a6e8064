// Root, leaf and listener with a clock that only the test moves; the test plays the other side.
#pragma once

#include <controlplane/admission_listener.h>
#include <controlplane/admission_root.h>
#include <controlplane/admission_rules.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/admission/describe.h"

namespace joinleaf::controlplane::test {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

inline constexpr Instant kStart{Duration(1h)};
inline constexpr ControlEndpoint kRootEndpoint{Ipv4Address(192, 0, 2, 1), UdpPort::of(7000)};
inline constexpr ControlEndpoint kLeafEndpoint{Ipv4Address(192, 0, 2, 7), UdpPort::of(7001)};
inline constexpr Ipv4Address kRootData(10, 0, 0, 1);
inline constexpr Ipv4Address kLeafData(10, 0, 0, 7);

inline SessionOffer offer() {
    SessionOffer offer;
    offer.group = {GroupAddress::of(232, 1, 1, 1), UdpPort::of(5000)};
    offer.root_address = kRootData;
    return offer;
}
using Screened = tl::expected<SessionOffer, Denial>;
inline AdmissionRootOptions root_options() { return {.name = "root", .offer = offer()}; }
inline AdmissionLeafOptions leaf_options() { return {.name = "leaf", .data_address = kLeafData}; }
inline AdmissionListenerOptions listener_options() { return {.leaf = leaf_options()}; }

/// Of a sequenced feed with a repair server.
inline SessionOffer feed_offer() {
    SessionOffer feed = offer();
    feed.framing = Framing::moldudp64;
    feed.repair = {Ipv4Address(192, 0, 2, 1), UdpPort::of(6000)};
    return feed;
}
inline HistoryBegins history_begins(std::uint64_t sequence) { return {{}, sequence}; }

inline JoinRequest join_request() { return {.name = "leaf", .data_address = kLeafData}; }
inline AcceptInvite accept_invite() { return {.name = "leaf", .data_address = kLeafData}; }
inline Admit admit_message(std::chrono::milliseconds dead_after = 3s) {
    return {.offer = offer(), .dead_after = dead_after, .name = "root"};
}
inline Invite invite_message(std::chrono::milliseconds dead_after = 3s) {
    return {.name = "root", .offer = offer(), .dead_after = dead_after};
}

inline Condition always(Verdict verdict, std::string_view callee_data = {}) {
    return [=](const PendingJoin&) { return Answer{verdict, bytes(callee_data)}; };
}
inline std::error_code error(std::errc code) { return std::make_error_code(code); }
/// The n-th connection of a test.
inline constexpr ConnectionId line(std::uint64_t n) { return ConnectionId{n}; }

/// What the three have in common.
class Driven {
public:
    /// What it has wanted since this was last asked.
    std::vector<std::string> did() { return describe(std::exchange(actions, {})); }

    /// Connections on which something waits to be read.
    std::set<ConnectionId> unread;
    Instant now = kStart;
    AdmissionActions actions;

protected:
    template <class Logic>
    void advance_to(Logic& logic, Instant end) {
        while (const auto due = logic.next_deadline()) {
            if (*due > end) break;
            now = std::max(now, *due);
            logic.advance(now, actions, unread_of());
        }
        now = end;
    }
    /// The process was stopped for so long, and its timer runs first.
    template <class Logic>
    void wake_after(Logic& logic, Duration time) {
        now += time;
        logic.advance(now, actions, unread_of());
    }
    [[nodiscard]] Unread unread_of() const {
        return [this](ConnectionId id) { return unread.contains(id); };
    }
};

class RootUnderTest : public Driven {
public:
    explicit RootUnderTest(AdmissionRootOptions options = root_options(), std::size_t backlog = 8)
        : root(std::move(options)) {
        if (backlog != 0) {
            EXPECT_TRUE(root.listen(backlog));
        }
    }

    void incoming(std::uint64_t n) {
        root.incoming(line(n), {.endpoint = kLeafEndpoint}, now, actions);
    }
    void hears(std::uint64_t n, const AdmissionMessage& message) {
        root.received(line(n), message, now, actions);
    }
    void request(std::uint64_t n, const JoinRequest& message = join_request()) {
        incoming(n);
        hears(n, message);
    }
    Result<std::optional<LeafId>> accept(const Condition& condition = {}) {
        return root.accept(condition, now, actions);
    }
    /// A leaf whose request on connection `n` was accepted, and that has yet to confirm.
    LeafId admitted(std::uint64_t n) {
        request(n);
        const LeafId leaf = accept().value().value();
        did();
        return leaf;
    }
    LeafId member(std::uint64_t n) {
        const LeafId leaf = admitted(n);
        hears(n, Confirm{});
        did();
        return leaf;
    }
    Result<LeafId> invite(std::uint64_t n, UserData caller_data = {}) {
        return root.invite(line(n), kLeafEndpoint, std::move(caller_data), now, actions);
    }
    void connected(std::uint64_t n) {
        root.connected(line(n), {.endpoint = kLeafEndpoint}, now, actions);
    }
    /// A leaf to which the invitation on connection `n` has been sent.
    LeafId invited(std::uint64_t n) {
        const LeafId leaf = invite(n).value();
        connected(n);
        did();
        return leaf;
    }
    void breaks(std::uint64_t n, std::errc reason = {}) {
        root.disconnected(line(n), reason, actions);
    }
    void advance(Duration time) { advance_to(root, now + time); }
    void wake_after(Duration time) { Driven::wake_after(root, time); }

    /// Nothing waits, nobody is there, no timer runs.
    [[nodiscard]] bool holds_nothing() const {
        return root.leaf_count() == 0 && root.pending_count() == 0 && root.silent_count() == 0 &&
               !root.is_inviting() && !root.next_deadline();
    }

    AdmissionRoot root;
};

class LeafUnderTest : public Driven {
public:
    explicit LeafUnderTest(AdmissionLeafOptions options = leaf_options())
        : leaf(std::move(options)) {}

    Result<void> request(std::uint64_t n, LeafRequest request = {}) {
        return leaf.request(line(n), kRootEndpoint, std::move(request), now, actions);
    }
    void connected(std::uint64_t n) {
        leaf.connected(line(n), {.endpoint = kRootEndpoint}, now, actions);
    }
    void hears(std::uint64_t n, const AdmissionMessage& message) {
        leaf.received(line(n), message, now, actions);
    }
    void group_joined(std::error_code error = {}) { leaf.group_joined(now, error, now, actions); }
    void breaks(std::uint64_t n, std::errc reason = {}) {
        leaf.disconnected(line(n), reason, now, actions);
    }
    void advance(Duration time) { advance_to(leaf, now + time); }
    void wake_after(Duration time) { Driven::wake_after(leaf, time); }

    // A leaf that has come as far as this on connection 1.
    LeafUnderTest& dialing() {
        EXPECT_TRUE(request(1));
        did();
        return *this;
    }
    LeafUnderTest& asked() {
        dialing().connected(1);
        did();
        return *this;
    }
    LeafUnderTest& joining() {
        asked().hears(1, admit_message());
        did();
        return *this;
    }
    LeafUnderTest& joined() {
        joining().group_joined();
        did();
        return *this;
    }

    [[nodiscard]] bool holds_nothing() const {
        return !leaf.is_pending() && !leaf.is_connected() && !leaf.connection() &&
               !leaf.next_deadline();
    }

    AdmissionLeaf leaf;
};

class ListenerUnderTest : public Driven {
public:
    explicit ListenerUnderTest(AdmissionListenerOptions options = listener_options(),
                               std::size_t backlog = 8)
        : listener(std::move(options)) {
        if (backlog != 0) {
            EXPECT_TRUE(listener.listen(backlog));
        }
    }

    void incoming(std::uint64_t n) {
        listener.incoming(line(n), {.endpoint = kRootEndpoint}, now, actions);
    }
    void hears(std::uint64_t n, const AdmissionMessage& message) {
        listener.received(line(n), message, now, actions);
    }
    void invitation(std::uint64_t n, const Invite& message = invite_message()) {
        incoming(n);
        hears(n, message);
    }
    Result<std::optional<AdmissionLeaf>> accept(const Condition& condition = {}) {
        return listener.accept(condition, now, actions);
    }
    void advance(Duration time) { advance_to(listener, now + time); }

    [[nodiscard]] bool holds_nothing() const {
        return listener.pending_count() == 0 && listener.silent_count() == 0 &&
               !listener.next_deadline();
    }

    AdmissionListener listener;
};

}  // namespace joinleaf::controlplane::test
