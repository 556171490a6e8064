// Joins a group, waits for the join, and prints what arrives for a minute.
// As in: subscriber eth1 10.0.0.12/24 239.1.1.1:5000
#include "or_throw.h"

#include <joinleaf/runtime.h>

#include <chrono>
#include <cstdio>
#include <thread>

using namespace joinleaf;

void print(std::span<const Datagram> datagrams) {
    for (const Datagram& datagram : datagrams) {
        const auto bytes = datagram.bytes();
        std::printf("%s: ", datagram.source().to_string().c_str());
        std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    }
    std::fflush(stdout);
}

void subscribe(const PortOptions& port, GroupEndpoint group) {
    Runtime runtime = Runtime::start({.ports = {port}});
    Receiver receiver = or_throw(runtime.open_receiver({}));
    Socket socket = or_throw(runtime.open({.scheme = kAnySource, .receiver = &receiver}));
    or_throw(socket.join_leaf(group, {.sources = SourceFilter::any()}));
    std::printf("joined %s\n", group.to_string().c_str());
    std::fflush(stdout);

    const Instant end = Instant::clock::now() + std::chrono::minutes(1);
    while (Instant::clock::now() < end) {
        if (receiver.consume(print) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: subscriber PORT ADDRESS/LENGTH GROUP:UDPPORT\n");
        return 2;
    }
    try {
        PortOptions port;
        port.port = argv[1];
        port.address = or_throw(Ipv4Interface::parse(argv[2]));
        subscribe(port, or_throw(GroupEndpoint::parse(argv[3])));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "subscriber: %s\n", error.what());
        return 1;
    }
}
