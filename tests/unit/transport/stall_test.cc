// A process that is kept from running for a while, over real TCP: the io_context does not run, and
// what the others say meanwhile waits in the kernel. Its timers come first when it goes on.
#include <controlplane/admission_root.h>
#include <gmock/gmock.h>
#include <tests/unit/transport/transport_under_test.h>

#include <optional>
#include <thread>

namespace joinleaf::controlplane::test_support {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

Instant now() { return std::chrono::steady_clock::now(); }

class Stall : public TransportTest {
protected:
    static constexpr auto kDeadAfter = 100ms;

    void SetUp() override {
        at_ = listen(station_);
        ASSERT_TRUE(root_.listen(8));
        station_.on_incoming = [this](ConnectionId id) {
            root_.incoming(id, station_.incoming.back().second, now(), actions_);
        };
        station_.on_message = [this](ConnectionId id, const AdmissionMessage& message) {
            root_.received(id, message, now(), actions_);
            carry_out();
        };
    }
    void carry_out() {
        for (auto& action : std::exchange(actions_, {})) {
            if (const auto* transmit = std::get_if<Transmit>(&action)) {
                ASSERT_TRUE(station_->send(transmit->connection, transmit->message));
            } else if (const auto* hang_up = std::get_if<HangUp>(&action)) {
                station_->hang_up(hang_up->connection);
            } else if (std::holds_alternative<LeafClosed>(action)) {
                ++closed_;
            }
        }
    }
    void advance() {
        root_.advance(now(), actions_, [this](ConnectionId id) { return station_->is_unread(id); });
        carry_out();
    }
    static void say(const RawSocket& leaf, const AdmissionMessage& message) {
        ASSERT_TRUE(leaf.write(encode_frame(message).value()));
    }
    RawSocket member() {
        RawSocket leaf(at_);
        JoinRequest request = test::a_request();
        request.from_root = {};  // no more than the session carries
        say(leaf, request);
        EXPECT_TRUE(run_until([&] { return root_.pending_count() == 1; }));
        const std::size_t before = root_.members().size();
        EXPECT_TRUE(root_.accept({}, now(), actions_).value());
        carry_out();
        say(leaf, Confirm{});
        EXPECT_TRUE(run_until([&] { return root_.members().size() == before + 1; }));
        return leaf;
    }

    Station station_{io_, {}};
    AdmissionRoot root_{{.name = "root", .offer = test::an_offer(), .dead_after = kDeadAfter}};
    AdmissionActions actions_;
    ControlEndpoint at_;
    int closed_ = 0;
};

TEST_F(Stall, WhoHasSpokenMeanwhileIsNotDead) {
    const RawSocket speaks = member();
    const RawSocket silent = member();
    std::this_thread::sleep_for(3 * kDeadAfter);
    say(speaks, KeepAlive{});
    advance();  // the timer, before anything is read
    EXPECT_EQ(closed_, 1);
    ASSERT_THAT(root_.members(), SizeIs(1));
    run_for(2ms);
    advance();
    EXPECT_THAT(root_.members(), SizeIs(1));
    EXPECT_EQ(closed_, 1);
    // It is the one that spoke, and its silence counts from then on.
    std::this_thread::sleep_for(2 * kDeadAfter);
    advance();
    EXPECT_THAT(root_.members(), IsEmpty());
    EXPECT_EQ(closed_, 2);
}

TEST_F(Stall, WhoHasEndedMeanwhileIsSaidToHaveEndedSo) {
    RawSocket leaf = member();
    std::this_thread::sleep_for(3 * kDeadAfter);
    leaf = RawSocket();  // dead: its kernel ends the connection for it
    advance();
    EXPECT_EQ(closed_, 0);  // what happened to it is for the connection to tell
    EXPECT_TRUE(run_until([&] { return station_.disconnected.size() == 1; }));
}

TEST_F(Stall, NothingIsUnreadOfWhoSaysNothingOrIsUnknown) {
    const RawSocket leaf = member();
    const ConnectionId id = station_.incoming.at(0).first;
    EXPECT_FALSE(station_->is_unread(id));
    EXPECT_FALSE(station_->is_unread(ConnectionId{4711}));
    say(leaf, KeepAlive{});
    EXPECT_TRUE(station_->is_unread(id));
    EXPECT_TRUE(run_until([&] { return station_.received.size() == 3; }));
    EXPECT_FALSE(station_->is_unread(id));
}

// The transport's own deadlines, likewise.
TEST_F(Stall, AFirstMessageThatWaitsIsInTime) {
    Station root(io_, {.strangers = {.within = 50ms}});
    const auto at = listen(root);
    const RawSocket leaf(at);
    const RawSocket mute(at);
    ASSERT_TRUE(run_until([&] { return root->half_open_count() == 2; }, 40ms));
    ASSERT_TRUE(leaf.write(request_frame()));
    std::this_thread::sleep_for(200ms);
    EXPECT_TRUE(run_until([&] { return root->half_open_count() == 0; }));
    EXPECT_THAT(root.received, SizeIs(1));
    EXPECT_EQ(root->counters().half_open_too_late, 1u);
    EXPECT_EQ(root->connection_count(), 1u);
}

TEST_F(Stall, ADialThatHasGotThroughIsInTime) {
    Station leaf(io_, {.connect_within = 50ms});
    const ConnectionId id = leaf.dial(at_);
    std::this_thread::sleep_for(200ms);
    EXPECT_TRUE(run_until([&] { return !leaf.connected.empty() || !leaf.connect_failed.empty(); }));
    EXPECT_THAT(leaf.connect_failed, IsEmpty());
    ASSERT_THAT(leaf.connected, SizeIs(1));
    EXPECT_EQ(leaf.connected[0].first, id);
    run_for(100ms);
    EXPECT_EQ(leaf->connection_count(), 1u);  // its deadline is gone
}

}  // namespace
}  // namespace joinleaf::controlplane::test_support
