#include <controlplane/admission_codec.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <tests/dpdk/sockets_under_test.h>
#include <unistd.h>

#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

namespace joinleaf::test {
namespace {

int tcp_socket() {
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "socket");
    return descriptor;
}

/// Binds to a free port; the port.
ControlEndpoint bind_anywhere(int descriptor) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
        getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        throw std::system_error(errno, std::generic_category(), "bind");
    }
    return {Ipv4Address(127, 0, 0, 1), *UdpPort::from(ntohs(address.sin_port))};
}

}  // namespace

UserData words(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

ControlEndpoint free_endpoint() {
    const int descriptor = tcp_socket();
    const auto endpoint = bind_anywhere(descriptor);
    close(descriptor);
    return endpoint;
}

bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

std::future<Result<Socket>> accepting(Socket socket, Condition condition) {
    return std::async(std::launch::async,
                      [socket = std::move(socket), condition = std::move(condition)]() mutable {
                          return socket.accept(condition);
                      });
}

void send(Sender& sender, std::string_view text) {
    SendBuffer buffer[1];
    ASSERT_TRUE(eventually([&] { return sender.reserve(buffer) == 1; }));
    std::memcpy(buffer[0].data, text.data(), text.size());
    buffer[0].length = static_cast<std::uint32_t>(text.size());
    sender.send(buffer);
}

std::string receive(Receiver& receiver, std::chrono::milliseconds patience) {
    std::string text;
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (text.empty() && std::chrono::steady_clock::now() < deadline) {
        const auto taken = receiver.consume([&](std::span<const Datagram> datagrams) {
            for (const auto& d : datagrams) {
                text.append(reinterpret_cast<const char*>(d.bytes().data()), d.size());
            }
        });
        if (taken == 0) std::this_thread::sleep_for(1ms);
    }
    return text;
}

bool is_silent(Receiver& receiver) { return receive(receiver, 100ms).empty(); }

MuteLeaf::MuteLeaf(ControlEndpoint root, Ipv4Address data_address) : descriptor_(tcp_socket()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(root.address.value());
    address.sin_port = htons(root.port.value());
    if (connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::system_error(errno, std::generic_category(), "a leaf that asks");
    }
    say(controlplane::JoinRequest{.name = "mute", .data_address = data_address});
}

void MuteLeaf::say(const controlplane::AdmissionMessage& message) const {
    const auto frame = controlplane::encode_frame(message);
    if (write(descriptor_, frame->data(), frame->size()) != std::ssize(*frame)) {
        throw std::system_error(errno, std::generic_category(), "a leaf that speaks");
    }
}

MuteLeaf::~MuteLeaf() { close(descriptor_); }

MuteListener::MuteListener() : descriptor_(tcp_socket()), at_(bind_anywhere(descriptor_)) {
    if (::listen(descriptor_, 4) != 0) {
        throw std::system_error(errno, std::generic_category(), "listen");
    }
}

MuteListener::~MuteListener() { close(descriptor_); }

PortOptions port(std::string name, std::uint8_t host) {
    return {.port = std::move(name),
            .address = {Ipv4Address(10, 9, 0, host), 24},
            .receive_buffers = 4096,
            .transmit_buffers = 4096};
}

RuntimeOptions quiet(std::vector<PortOptions> ports) {
    RuntimeOptions options;
    options.ports = std::move(ports);
    options.log = [](std::string_view) {};
    options.idle_sleep = 50us;
    options.max_subscriptions = 1024;
    return options;
}

SocketOptions root_options(Scheme scheme) {
    const bool rooted = scheme.data == Plane::rooted;
    SocketOptions options{.scheme = scheme,
                          .control_role = ControlRole::root,
                          .data_role = rooted ? DataRole::root : DataRole::leaf};
    options.admission.session.group = {
        rooted ? GroupAddress::of(232, 1, 1, 1) : GroupAddress::of(239, 1, 1, 1),
        UdpPort::of(5000)};
    options.admission.dead_after = 500ms;
    return options;
}

Socket Rooted::open_root(SocketOptions options) {
    options.receiver = &root_receiver;
    auto root = runtime.open(options);
    EXPECT_TRUE(root) << root.error().message();
    root->select(events);
    return *root;
}

Socket Rooted::open_leaf(Scheme scheme) {
    auto leaf =
        runtime.open({.scheme = scheme, .port = 1, .cookie = 200, .receiver = &leaf_receiver});
    EXPECT_TRUE(leaf) << leaf.error().message();
    leaf->select(events);
    return *leaf;
}

Member Rooted::let_in(Socket& root, Socket leaf, const AdmissionRequest& request) {
    auto accepted = accepting(root);
    const auto joined = leaf.join_leaf(root_at, request);
    EXPECT_TRUE(joined) << joined.error().message();
    auto at_root = accepted.get();
    EXPECT_TRUE(at_root) << at_root.error().message();
    // The root knows when the leaf's confirmation is there.
    EXPECT_TRUE(eventually([&] { return at_root->say({}).has_value(); }));
    EXPECT_TRUE(next(EventType::talk));
    EXPECT_TRUE(leaf.hear());
    return {std::move(leaf), *at_root};
}

std::optional<Event> Rooted::next(EventType type) {
    while (auto event = events.wait(5s)) {
        if (event->type == type) return event;
    }
    return std::nullopt;
}

bool Rooted::no_event() { return !events.wait(100ms); }

}  // namespace joinleaf::test
