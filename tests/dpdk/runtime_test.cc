// The whole library on wires inside the process: joins, events, data, leaving.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <joinleaf/runtime.h>

#include <cstring>
#include <string>
#include <thread>

namespace joinleaf {
namespace {

using namespace std::chrono_literals;

constexpr GroupEndpoint kGroup{GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)};

PortOptions port(std::string name, Ipv4Address address, std::size_t worker = 0) {
    return {.port = std::move(name), .address = {address, 24}, .worker = worker, .buffers = 4096};
}

RuntimeOptions quiet(std::vector<PortOptions> ports) {
    RuntimeOptions options;
    options.ports = std::move(ports);
    options.log = [](std::string_view) {};
    options.idle_sleep = 50us;
    options.max_subscriptions = 1024;
    return options;
}

TEST(Runtime, RootToLeafOverAWire) {
    auto runtime =
        Runtime::start(quiet({port("ring:a", {10, 0, 0, 1}), port("ring:a", {10, 0, 0, 2})}));
    auto receiver = runtime.open_receiver({.port = 1});
    ASSERT_TRUE(receiver);
    auto leaf = runtime.open({.port = 1, .receiver = &*receiver});
    ASSERT_TRUE(leaf);
    ASSERT_TRUE(leaf->join_leaf(kGroup));
    auto root = runtime.open({.scheme = kSourceSpecific, .data_role = DataRole::root, .port = 0});
    ASSERT_TRUE(root);
    ASSERT_TRUE(root->join_leaf(kGroup, {.direction = Direction::sender_only}));
    auto sender = root->sender();
    ASSERT_TRUE(sender);

    SendBuffer buffer[1];
    const auto deadline = std::chrono::steady_clock::now() + 2s;
    while (sender->reserve(buffer) == 0 && std::chrono::steady_clock::now() < deadline) {
    }
    ASSERT_NE(buffer[0].data, nullptr);
    std::memcpy(buffer[0].data, "hello", 5);
    buffer[0].length = 5;
    sender->send(buffer);

    std::string got;
    while (got.empty() && std::chrono::steady_clock::now() < deadline) {
        receiver->consume([&](std::span<const Datagram> datagrams) {
            got.assign(reinterpret_cast<const char*>(datagrams[0].bytes().data()),
                       datagrams[0].size());
            EXPECT_EQ(datagrams[0].source(), Ipv4Address(10, 0, 0, 1));
        });
    }
    EXPECT_EQ(got, "hello");
}

}  // namespace
}  // namespace joinleaf
