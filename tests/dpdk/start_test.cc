// The EAL as programs start it: by the first runtime, on its control thread, with what that asks
// for; later runtimes use it. A program of its own, because there is one EAL in a process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <joinleaf/runtime.h>
#include <sched.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <thread>

namespace joinleaf {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr GroupEndpoint kGroup{GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)};

RuntimeOptions options() {
    RuntimeOptions options;
    options.ports = {{.port = "ring:a",
                      .address = {{10, 0, 0, 1}, 24},
                      .receive_buffers = 2048,
                      .transmit_buffers = 2048},
                     {.port = "ring:a",
                      .address = {{10, 0, 0, 2}, 24},
                      .receive_buffers = 2048,
                      .transmit_buffers = 2048}};
    options.log = [](std::string_view) {};
    options.idle_sleep = 50us;
    options.max_subscriptions = 64;
    return options;
}

std::string failure_of(const RuntimeOptions& options) {
    try {
        auto runtime = Runtime::start(options);
        return "it started";
    } catch (const std::system_error& error) {
        return error.what();
    }
}

std::string send_hello(Runtime& runtime) {
    auto receiver = runtime.open_receiver({.port = 1});
    auto leaf = runtime.open({.port = 1, .receiver = &*receiver});
    EXPECT_TRUE(leaf && leaf->join_leaf(kGroup));
    auto root = runtime.open({.scheme = kSourceSpecific, .data_role = DataRole::root, .port = 0});
    EXPECT_TRUE(root && root->join_leaf(kGroup, {.direction = Direction::sender_only}));
    auto sender = root->sender();
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    SendBuffer buffer[1];
    while (sender->reserve(buffer) == 0 && std::chrono::steady_clock::now() < deadline) {
    }
    if (buffer[0].data == nullptr) return "no buffer";
    std::memcpy(buffer[0].data, "hello", 5);
    buffer[0].length = 5;
    sender->send(buffer);
    std::string got;
    while (got.empty() && std::chrono::steady_clock::now() < deadline) {
        receiver->consume([&](std::span<const Datagram> datagrams) {
            got.assign(reinterpret_cast<const char*>(datagrams[0].bytes().data()),
                       datagrams[0].size());
        });
    }
    return got;
}

// In one test, because what comes first matters: a refusal before the EAL, the start, and after it.
TEST(Start, TheFirstRuntimeStartsTheEalAndLaterOnesUseIt) {
    auto wrong = options();
    wrong.ports[1].port = "nosuchif0";
    wrong.ports[1].worker = 7;
    EXPECT_THAT(failure_of(wrong), HasSubstr("given to worker 7"));

    wrong.idle_sleep = 50001us;
    EXPECT_THAT(failure_of(wrong),
                HasSubstr("cannot sleep for 50001 us when idle; use 0 to 50000"));
    wrong.idle_sleep = 0us;

    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    wrong.ports[1].worker = 0;
    EXPECT_THAT(failure_of(wrong), HasSubstr("no network interface 'nosuchif0'"));

    for (int i = 0; i < 20; ++i) {
        auto runtime = Runtime::start(options());
        EXPECT_EQ(send_hello(runtime), "hello");
        runtime.stop(0ms);
    }
    cpu_set_t after;
    ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));  // the caller runs where it ran

    auto two = options();
    two.workers = 2;
    EXPECT_THAT(failure_of(two), HasSubstr("no free lcore for 2 workers"));
    auto large = options();
    large.ports[0].receive_buffers = 100'000'000;
    EXPECT_THAT(failure_of(large), HasSubstr("no memory for 100000000 packet buffers"));
    auto again = Runtime::start(options());
    EXPECT_EQ(send_hello(again), "hello");
    again.stop(0ms);
}

}  // namespace
}  // namespace joinleaf
