// Joins one source of a group without waiting, learns of it from a pollable event queue, and counts
// datagrams on the worker itself. As in: event_subscriber eth1 10.0.0.12/24
// 232.1.1.1:5000 10.0.0.11
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

void check(const Result<void>& result) {
    if (!result) throw std::system_error(result.error());
}

void show(const Event& event) {
    std::printf("%.*s: %s\n", static_cast<int>(name(event.type).size()), name(event.type).data(),
                event.error ? event.error.message().c_str() : "done");
}

void subscribe(const PortOptions& port, GroupEndpoint group, Ipv4Address source) {
    Count count;
    Runtime runtime = Runtime::start({.ports = {port}});
    EventQueue events = runtime.open_event_queue();
    Socket socket =
        runtime.open({.scheme = kSourceSpecific, .handler = {&Count::add, &count}}).value();
    check(socket.select(events));
    check(socket.set_nonblocking(true));
    socket.join_leaf(group, {.sources = SourceFilter::only({source})}).value();

    for (int second = 0; second < 60; ++second) {
        pollfd ready{events.fd(), POLLIN, 0};
        poll(&ready, 1, 1000);
        while (const auto event = events.next()) show(*event);
        std::printf("%llu datagrams\n", static_cast<unsigned long long>(count.datagrams));
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
        port.address = Ipv4Interface::parse(argv[2]).value();
        subscribe(port, GroupEndpoint::parse(argv[3]).value(), Ipv4Address::parse(argv[4]).value());
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "event_subscriber: %s\n", error.what());
        return 1;
    }
}
