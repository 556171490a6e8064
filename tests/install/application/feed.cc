// Somebody else's program: publishes a hundred lines at one end of a wire and prints those that
// have come out at the other. Exits with 0 when all have, in order.
#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <joinleaf/clock.h>
#include <joinleaf/drop_reason.h>
#include <joinleaf/error.h>
#include <joinleaf/event.h>
#include <joinleaf/receiver.h>
#include <joinleaf/runtime.h>
#include <joinleaf/scheme.h>
#include <joinleaf/sender.h>
#include <joinleaf/session.h>
#include <joinleaf/socket.h>
#include <joinleaf/source_filter.h>
#include <joinleaf/status.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

using namespace joinleaf;

int main() {
    PortOptions there{.port = "ring:wire", .address = Ipv4Interface::parse("10.9.0.1/24").value()};
    PortOptions here{.port = "ring:wire", .address = Ipv4Interface::parse("10.9.0.2/24").value()};
    const auto group = GroupEndpoint::parse("239.1.1.1:5000").value();
    Runtime runtime = Runtime::start(
        {.ports = {there, here}, .idle_sleep = std::chrono::microseconds(100), .log = [](auto) {}});
    Receiver receiver = runtime.open_receiver({}).value();
    Socket leaf = runtime.open({.port = 1, .receiver = &receiver}).value();
    leaf.join_leaf(group).value();
    Socket root = runtime.open({.port = 0}).value();
    root.join_leaf(group, {.direction = Direction::sender_only}).value();
    Sender sender = root.sender().value();

    int received = 0;
    const auto print = [&](std::span<const Datagram> datagrams) {
        for (const Datagram& datagram : datagrams) {
            const auto bytes = datagram.bytes();
            const std::string line(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            if (line == "line " + std::to_string(received + 1)) ++received;
            std::printf("%s: %s\n", datagram.source().to_string().c_str(), line.c_str());
        }
    };
    int sent = 0;
    const Instant end = Instant::clock::now() + std::chrono::seconds(20);
    while (received < 100 && Instant::clock::now() < end) {
        SendBuffer buffer;
        if (sent < 100 && sender.reserve({&buffer, 1}) == 1) {
            const std::string line = "line " + std::to_string(++sent);
            std::memcpy(buffer.data, line.data(), line.size());
            buffer.length = static_cast<std::uint32_t>(line.size());
            sender.send({&buffer, 1});
        }
        if (receiver.consume(print) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return received == 100 ? 0 : 1;
}
