// Asks a root to be let in, sends it one line, which no other leaf hears, and prints what it sends
// until the session is over for this leaf.
// As in: subscriber_asks eth1 10.0.0.12/24 192.0.2.11:7000 desk-7
#include "or_throw.h"

#include <joinleaf/runtime.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

using namespace joinleaf;

void print(std::span<const Datagram> datagrams) {
    for (const Datagram& datagram : datagrams) {
        const auto bytes = datagram.bytes();
        std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    }
    std::fflush(stdout);
}

void send_line(Sender& sender, const std::string& line) {
    SendBuffer buffer;
    while (sender.reserve({&buffer, 1}) == 0) std::this_thread::yield();
    std::memcpy(buffer.data, line.data(), line.size());
    buffer.length = static_cast<std::uint32_t>(line.size());
    sender.send({&buffer, 1});
}

void subscribe(const PortOptions& port, ControlEndpoint root, const std::string& name) {
    Runtime runtime = Runtime::start({.ports = {port}});
    Receiver receiver = or_throw(runtime.open_receiver({}));
    EventQueue events = runtime.open_event_queue();
    Socket socket = or_throw(runtime.open(
        {.scheme = kRootedRooted, .receiver = &receiver, .admission = {.name = name}}));
    or_throw(socket.select(events, static_cast<EventMask>(EventType::close)));
    or_throw(socket.join_leaf(root));
    std::printf("let in by %s\n", root.to_string().c_str());
    Sender to_root = or_throw(socket.sender());
    send_line(to_root, name + " is here\n");

    std::optional<Event> closed;
    while (!closed) {
        if (receiver.consume(print) == 0) closed = events.wait(std::chrono::milliseconds(1));
    }
    std::printf("the session is over: %s\n",
                closed->error ? closed->error.message().c_str() : "its root has closed it");
}

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: subscriber_asks PORT ADDRESS/LENGTH ROOT_IP:TCPPORT NAME\n");
        return 2;
    }
    try {
        PortOptions port;
        port.port = argv[1];
        port.address = or_throw(Ipv4Interface::parse(argv[2]));
        subscribe(port, or_throw(ControlEndpoint::parse(argv[3])), argv[4]);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "subscriber_asks: %s\n", error.what());
        return 1;
    }
}
