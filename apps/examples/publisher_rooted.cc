// Decides who may listen: invites leaves, lets in those that ask, and expels each after a minute;
// to those that are there it publishes a numbered line every second, and it prints what they send
// to it. As in:
// publisher_rooted eth1 10.0.0.11/24 232.1.1.1:5000 192.0.2.11:7000 192.0.2.12:7001
#include "or_throw.h"

#include <joinleaf/runtime.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

using namespace joinleaf;

struct Listener {
    Socket socket;  // stands for one leaf: closing it expels that leaf
    int since = 0;
};

void send_line(Sender& sender, const std::string& line) {
    SendBuffer buffer;
    while (sender.reserve({&buffer, 1}) == 0) std::this_thread::yield();
    std::memcpy(buffer.data, line.data(), line.size());
    buffer.length = static_cast<std::uint32_t>(line.size());
    sender.send({&buffer, 1});
}

void print(std::span<const Datagram> datagrams) {
    for (const Datagram& datagram : datagrams) {
        const auto bytes = datagram.bytes();
        std::printf("%s: %.*s", datagram.source().to_string().c_str(),
                    static_cast<int>(bytes.size()), reinterpret_cast<const char*>(bytes.data()));
    }
}

Answer welcome(const PendingJoin& join) {
    std::printf("%s asks, from %s\n", join.peer.name.c_str(),
                join.peer.endpoint.to_string().c_str());
    return {join.peer.name.empty() ? Verdict::reject : Verdict::accept, {}};
}

void publish(const PortOptions& port, GroupEndpoint group, ControlEndpoint at,
             const std::vector<ControlEndpoint>& leaves) {
    Runtime runtime = Runtime::start({.ports = {port}});
    Receiver receiver = or_throw(runtime.open_receiver({}));
    SocketOptions options{.scheme = kRootedRooted,
                          .control_role = ControlRole::root,
                          .data_role = DataRole::root,
                          .receiver = &receiver};
    options.admission.session.group = group;
    Socket root = or_throw(runtime.open(options));
    or_throw(root.listen(at));
    std::vector<Listener> listeners;
    for (const auto leaf : leaves) listeners.push_back({or_throw(root.join_leaf(leaf))});
    or_throw(root.set_nonblocking(true));
    Sender sender = or_throw(root.sender());

    for (int second = 1; second <= 600; ++second) {
        while (auto leaf = root.accept(welcome)) listeners.push_back({*leaf, second});
        std::erase_if(listeners, [&](const Listener& l) { return second - l.since > 60; });
        send_line(sender, "line " + std::to_string(second) + "\n");
        while (receiver.consume(print) != 0) continue;
        std::this_thread::sleep_for(std::chrono::seconds(1));
    }
    root.close();  // tells all leaves that the session is over
}

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr,
                     "usage: publisher_rooted PORT ADDRESS/LENGTH GROUP:UDPPORT "
                     "LISTEN_IP:TCPPORT [LEAF_IP:TCPPORT]...\n");
        return 2;
    }
    try {
        PortOptions port;
        port.port = argv[1];
        port.address = or_throw(Ipv4Interface::parse(argv[2]));
        std::vector<ControlEndpoint> leaves;
        for (int i = 5; i < argc; ++i) leaves.push_back(or_throw(ControlEndpoint::parse(argv[i])));
        publish(port, or_throw(GroupEndpoint::parse(argv[3])),
                or_throw(ControlEndpoint::parse(argv[4])), leaves);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "publisher_rooted: %s\n", error.what());
        return 1;
    }
}
