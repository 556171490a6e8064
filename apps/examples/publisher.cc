// Publishes a numbered line every second. As in: publisher eth1 10.0.0.11/24 239.1.1.1:5000
#include "or_throw.h"

#include <joinleaf/runtime.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

using namespace joinleaf;

void send_line(Sender& sender, const std::string& line) {
    SendBuffer buffer;
    while (sender.reserve({&buffer, 1}) == 0) std::this_thread::yield();
    std::memcpy(buffer.data, line.data(), line.size());
    buffer.length = static_cast<std::uint32_t>(line.size());
    sender.send({&buffer, 1});
}

void publish(const PortOptions& port, GroupEndpoint group) {
    Runtime runtime = Runtime::start({.ports = {port}});
    Socket socket = or_throw(runtime.open({.scheme = kAnySource}));
    or_throw(socket.join_leaf(group, {.direction = Direction::sender_only}));
    Sender sender = or_throw(socket.sender());

    for (int number = 1; number <= 60; ++number) {
        send_line(sender, "line " + std::to_string(number) + "\n");
        std::this_thread::sleep_for(std::chrono::seconds(1));
    }
}

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: publisher PORT ADDRESS/LENGTH GROUP:UDPPORT\n");
        return 2;
    }
    try {
        PortOptions port;
        port.port = argv[1];
        port.address = or_throw(Ipv4Interface::parse(argv[2]));
        publish(port, or_throw(GroupEndpoint::parse(argv[3])));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "publisher: %s\n", error.what());
        return 1;
    }
}
