// Joins one source of a group without waiting, learns of it from a pollable event queue, and counts
// datagrams on the worker itself. As in: event_subscriber eth1 10.0.0.12/24
// 232.1.1.1:5000 10.0.0.11
#include "or_throw.h"

#include <joinleaf/runtime.h>
#include <poll.h>

#include <atomic>
#include <cstdio>

using namespace joinleaf;

struct Count {
    std::atomic<std::uint64_t> datagrams{0};

    static void add(void* self, std::span<const Datagram> datagrams) noexcept {
        static_cast<Count*>(self)->datagrams.fetch_add(datagrams.size());
    }
};

void show(const Event& event) {
    std::printf("%.*s: %s\n", static_cast<int>(name(event.type).size()), name(event.type).data(),
                event.error ? event.error.message().c_str() : "done");
}

void subscribe(const PortOptions& port, GroupEndpoint group, Ipv4Address source) {
    Count count;
    Runtime runtime = Runtime::start({.ports = {port}});
    EventQueue events = runtime.open_event_queue();
    Socket socket =
        or_throw(runtime.open({.scheme = kSourceSpecific, .handler = {&Count::add, &count}}));
    or_throw(socket.select(events));
    or_throw(socket.set_nonblocking(true));
    or_throw(socket.join_leaf(group, {.sources = SourceFilter::only({source})}));

    for (int second = 0; second < 60; ++second) {
        pollfd ready{events.fd(), POLLIN, 0};
        poll(&ready, 1, 1000);
        while (const auto event = events.next()) show(*event);
        std::printf("%llu datagrams\n", static_cast<unsigned long long>(count.datagrams));
        std::fflush(stdout);
    }
}

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: event_subscriber PORT ADDRESS/LENGTH GROUP:UDPPORT SOURCE\n");
        return 2;
    }
    try {
        PortOptions port;
        port.port = argv[1];
        port.address = or_throw(Ipv4Interface::parse(argv[2]));
        subscribe(port, or_throw(GroupEndpoint::parse(argv[3])),
                  or_throw(Ipv4Address::parse(argv[4])));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "event_subscriber: %s\n", error.what());
        return 1;
    }
}
