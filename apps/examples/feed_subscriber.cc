// Follows a MoldUDP64 feed on two lines, asks for what both lose, and prints messages, gaps and
// how it went. As in: feed_subscriber eth1 10.0.0.12/24 239.1.1.1:5000 239.1.1.2:5000
// 192.0.2.11:7001
#include <joinleaf/feed_receiver.h>
#include <joinleaf/runtime.h>
#include "or_throw.h"

#include <chrono>
#include <cstdio>
#include <thread>

using namespace joinleaf;

// Returns whether the feed goes on.
bool print(const FeedEvent& event) {
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    switch (event.kind) {
        case FeedEvent::Kind::session:
            std::printf("session %.*s\n", static_cast<int>(event.session.size()),
                        event.session.data());
            break;
        case FeedEvent::Kind::gap:
            std::printf("lost %llu messages from %llu on\n", number(event.count),
                        number(event.first));
            break;
        case FeedEvent::Kind::end:
            std::printf("the end, at %llu\n", number(event.first));
            return false;
        case FeedEvent::Kind::stranger:
        case FeedEvent::Kind::repeated:
            std::printf("does not follow session %.*s\n", static_cast<int>(event.session.size()),
                        event.session.data());
            break;
        case FeedEvent::Kind::messages:
        case FeedEvent::Kind::late: {
            std::uint64_t sequence = event.first;
            for (const auto message : event.messages) {
                std::printf("%llu: ", number(sequence++));
                std::fwrite(message.data(), 1, message.size(), stdout);
                std::printf("\n");
            }
        }
    }
    return true;
}

void follow(const PortOptions& port, std::span<const GroupEndpoint> lines,
            const ControlEndpoint& repair) {
    Runtime runtime = Runtime::start({.ports = {port}});
    Receiver receiver = or_throw(runtime.open_receiver({}));
    FeedReceiverOptions options{.repair = FeedRepairOptions{.server = repair}};
    std::vector<Socket> sockets;
    for (const GroupEndpoint& line : lines) {
        sockets.push_back(or_throw(runtime.open({.receiver = &receiver})));
        or_throw(sockets.back().join_leaf(line, {.direction = Direction::receiver_only}));
        options.lines.push_back({sockets.back().id(), &receiver});
    }
    FeedReceiver feed = or_throw(FeedReceiver::open(options));

    bool goes_on = true;
    while (goes_on) {
        const auto events = feed.poll([&](const FeedEvent& event) { goes_on &= print(event); });
        if (events == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    feed.publish_status();
    const FeedStatus status = feed.status();
    for (const FeedLineStatus& line : status.lines) {
        std::printf("a line: first with %llu messages, lost %llu\n",
                    static_cast<unsigned long long>(line.counters.won),
                    static_cast<unsigned long long>(line.counters.lost));
    }
    std::printf("asked for: %llu; p99 from port to application: %lld ns\n",
                static_cast<unsigned long long>(status.repaired.won),
                static_cast<long long>(status.latency.percentile(0.99).count()));
}

int main(int argc, char** argv) {
    if (argc != 6) {
        std::fprintf(stderr,
                     "usage: feed_subscriber PORT ADDRESS/LENGTH GROUP:UDPPORT GROUP:UDPPORT "
                     "REPAIR-ADDRESS:UDPPORT\n");
        return 2;
    }
    try {
        PortOptions port;
        port.port = argv[1];
        port.address = or_throw(Ipv4Interface::parse(argv[2]));
        const GroupEndpoint lines[] = {or_throw(GroupEndpoint::parse(argv[3])),
                                       or_throw(GroupEndpoint::parse(argv[4]))};
        follow(port, lines, or_throw(ControlEndpoint::parse(argv[5])));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "feed_subscriber: %s\n", error.what());
        return 1;
    }
}
