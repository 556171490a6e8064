// The feed of a rooted session: its framing is part of the offer, and it reaches the leaves however
// the session's data does.
#include <joinleaf/feed_publisher.h>
#include <net/moldudp64.h>
#include <tests/dpdk/sockets_under_test.h>

#include <string>
#include <thread>
#include <vector>

namespace joinleaf {
namespace {

using namespace test;
using testing::ElementsAre;

class RootedFeed : public Rooted {
protected:
    // Messages that the leaf is brought, once there are `n`.
    std::vector<std::string> messages(std::size_t n) {
        std::vector<std::string> all;
        EXPECT_TRUE(eventually([&] {
            leaf_receiver.consume([&](std::span<const Datagram> datagrams) {
                for (const auto& datagram : datagrams) {
                    const auto packet = net::parse_mold(datagram.bytes());
                    EXPECT_TRUE(packet);
                    if (!packet) continue;
                    for (const auto message : packet->messages) {
                        all.emplace_back(reinterpret_cast<const char*>(message.data()),
                                         message.size());
                    }
                }
            });
            return all.size() >= n;
        }));
        return all;
    }
    void reaches_a_leaf(FanOut fan_out) {
        auto options = root_options();
        options.admission.session.framing = Framing::moldudp64;
        options.admission.session.fan_out = fan_out;
        Socket root = open_root(options);
        ASSERT_TRUE(root.listen(root_at));
        EXPECT_EQ(error_of(root.sender()), std::errc::operation_not_supported);
        Member member = let_in(root, open_leaf());
        EXPECT_EQ(member.leaf.session()->framing, Framing::moldudp64);
        auto feed = root.feed_publisher({.delay = std::chrono::hours(1)});
        ASSERT_TRUE(feed) << feed.error().message();
        EXPECT_TRUE(feed->publish(words("one")));
        EXPECT_TRUE(feed->publish(words("two")));
        feed->end_of_burst();
        EXPECT_THAT(messages(2), ElementsAre("one", "two"));
        // Closing lets out what has been published and need not wait.
        EXPECT_TRUE(feed->publish(words("last")));
        feed->end_of_burst();
        root.close();
        EXPECT_THAT(messages(1), ElementsAre("last"));
        EXPECT_TRUE(feed->finished());
    }
};

TEST_F(RootedFeed, ReachesALeafByMulticast) { reaches_a_leaf(FanOut::multicast); }

TEST_F(RootedFeed, ReachesALeafByUnicast) { reaches_a_leaf(FanOut::replicate); }

TEST_F(RootedFeed, WhatTheSenderSaysTheSessionSays) {
    auto options = root_options();
    options.sender.framing = Framing::moldudp64;
    Socket root = open_root(options);
    EXPECT_EQ(root.session()->framing, Framing::moldudp64);
    EXPECT_TRUE(root.feed_publisher({}));
}

}  // namespace
}  // namespace joinleaf
