// Waits for a root's invitation, and prints what it sends until the session is over for this leaf.
// As in: subscriber_listens eth1 10.0.0.12/24 192.0.2.12:7001 desk-7
#include "or_throw.h"

#include <joinleaf/runtime.h>

#include <chrono>
#include <cstdio>

using namespace joinleaf;

void print(std::span<const Datagram> datagrams) {
    for (const Datagram& datagram : datagrams) {
        const auto bytes = datagram.bytes();
        std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    }
    std::fflush(stdout);
}

Answer agree(const PendingJoin& invitation) {
    std::printf("%s invites to %s\n", invitation.peer.endpoint.to_string().c_str(),
                invitation.offer->group.to_string().c_str());
    return {};
}

void subscribe(const PortOptions& port, ControlEndpoint at, const std::string& name) {
    Runtime runtime = Runtime::start({.ports = {port}});
    Receiver receiver = or_throw(runtime.open_receiver({}));
    EventQueue events = runtime.open_event_queue();
    Socket listening = or_throw(runtime.open(
        {.scheme = kRootedRooted, .receiver = &receiver, .admission = {.name = name}}));
    or_throw(listening.select(events, static_cast<EventMask>(EventType::close)));
    or_throw(listening.listen(at));
    const Socket member = or_throw(listening.accept(agree));  // this one has the session's data

    std::optional<Event> closed;
    while (!closed) {
        if (receiver.consume(print) == 0) closed = events.wait(std::chrono::milliseconds(1));
    }
    std::printf("the session is over: %s\n",
                closed->error ? closed->error.message().c_str() : "its root has closed it");
}

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: subscriber_listens PORT ADDRESS/LENGTH IP:TCPPORT NAME\n");
        return 2;
    }
    try {
        PortOptions port;
        port.port = argv[1];
        port.address = or_throw(Ipv4Interface::parse(argv[2]));
        subscribe(port, or_throw(ControlEndpoint::parse(argv[3])), argv[4]);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "subscriber_listens: %s\n", error.what());
        return 1;
    }
}
