#include "tests/dpdk/on_the_wire.h"

#include <cstring>

namespace joinleaf::test {

OnTheWire::OnTheWire(std::uint16_t queues) : network_(queues) {
    options_.ports = {{.port = network_.port(), .address = {kOwnAddress, 24}, .buffers = 4096}};
    options_.log = [](std::string_view) {};  // tests look at errors and at the status
    options_.idle_sleep = 50us;
    options_.max_subscriptions = 4096;
}

void OnTheWire::start(const std::function<void(RuntimeOptions&)>& change) {
    if (change) change(options_);
    runtime_.emplace(Runtime::start(options_));
    const auto is_arp = [](const Heard& heard) {
        const auto frame = net::parse_ethernet(heard.bytes);
        return frame && frame->ethertype == net::ethertype::kArp;
    };
    ASSERT_TRUE(network_.hear_until(is_arp)) << "the port did not announce itself";
}

void OnTheWire::TearDown() {
    if (runtime_) {
        runtime_->stop(0ms);
        runtime_.reset();
    }
    network_.clear();
    EXPECT_EQ(buffers_not_home(), "");
}

Socket OnTheWire::open(SocketOptions options) {
    auto socket = runtime().open(options);
    EXPECT_TRUE(socket) << error_of(socket).message();
    return socket.value_or(Socket());
}

Socket OnTheWire::join(GroupEndpoint endpoint, SocketOptions options, const JoinOptions& how) {
    auto socket = open(options);
    const auto joined = socket.join_leaf(endpoint, how);
    EXPECT_TRUE(joined) << error_of(joined).message();
    return socket;
}

Receiver OnTheWire::open_receiver(std::size_t capacity) {
    auto receiver = runtime().open_receiver({.capacity = capacity});
    EXPECT_TRUE(receiver) << error_of(receiver).message();
    return receiver ? std::move(*receiver) : Receiver();
}

void OnTheWire::publish(Sender& sender, std::string_view text) {
    SendBuffer buffer[1];
    ASSERT_TRUE(eventually([&] { return sender.reserve(buffer) == 1; })) << "no buffer to write to";
    ASSERT_GE(buffer[0].capacity, text.size());
    std::memcpy(buffer[0].data, text.data(), text.size());
    buffer[0].length = static_cast<std::uint32_t>(text.size());
    sender.send(buffer);
}

std::vector<std::string> OnTheWire::take(Receiver& receiver, std::size_t n) {
    std::vector<std::string> payloads;
    static_cast<void>(eventually([&] {
        receiver.consume([&](std::span<const Datagram> datagrams) {
            for (const auto& datagram : datagrams) payloads.push_back(text_of(datagram));
        });
        return payloads.size() >= n;
    }));
    EXPECT_GE(payloads.size(), n);
    return payloads;
}

std::string text_of(const Datagram& datagram) {
    std::string text(datagram.size(), '\0');
    const auto n = datagram.copy_to(std::as_writable_bytes(std::span(text)));
    EXPECT_EQ(n, datagram.size());
    return text;
}

Bytes bytes_of_text(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

}  // namespace joinleaf::test
