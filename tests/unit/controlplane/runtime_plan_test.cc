// What a runtime may be asked for.
#include <controlplane/runtime_plan.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace joinleaf::controlplane {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t kLcores = 16;

RuntimeOptions good() {
    RuntimeOptions options;
    options.ports = {{.port = "eth1", .address = {Ipv4Address(10, 0, 0, 1), 24}}};
    return options;
}

std::string refused(const std::function<void(RuntimeOptions&)>& change) {
    RuntimeOptions options = good();
    change(options);
    try {
        static_cast<void>(plan_runtime(options, kLcores));
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::invalid_argument);
        return error.what();
    }
    return "accepted";
}

TEST(RuntimePlan, HasASpecAndAVlanForEachPort) {
    RuntimeOptions options = good();
    options.ports.push_back(
        {.port = "ring:a", .address = {Ipv4Address(10, 0, 1, 1), 24}, .vlan = "100.200"});
    const auto plan = plan_runtime(options, kLcores);
    ASSERT_EQ(plan.specs.size(), 2u);
    EXPECT_EQ(plan.specs[0].kind, PortKind::interface);
    EXPECT_EQ(plan.specs[1].kind, PortKind::ring);
    ASSERT_EQ(plan.vlans.size(), 2u);
    EXPECT_EQ(plan.vlans[0].tags(), 0u);
    EXPECT_EQ(plan.vlans[1].to_string(), "100.200");
}

TEST(RuntimePlan, EachQueueNeedsItsWorkerAndItsBuffers) {
    EXPECT_EQ(refused([](auto& o) {
                  o.workers = 3;
                  o.ports[0].queues = 2;
                  o.ports[0].worker = 1;
                  o.ports[0].receive_buffers = o.ports[0].transmit_buffers = 2 * kFewestBuffers;
              }),
              "accepted");
    EXPECT_THAT(refused([](auto& o) { o.ports[0].queues = 2; }), HasSubstr("there are 1"));
    EXPECT_THAT(refused([](auto& o) { o.ports[0].worker = 1; }), HasSubstr("given to worker 1"));
    const auto few = [](auto which) {
        return refused([=](auto& o) {
            o.workers = o.ports[0].queues = 2;
            o.ports[0].*which = 2 * kFewestBuffers - 1;
        });
    };
    EXPECT_THAT(
        few(&PortOptions::receive_buffers),
        AllOf(HasSubstr("cannot receive with 4095 packet buffers"), HasSubstr("4096 at least")));
    EXPECT_THAT(few(&PortOptions::transmit_buffers),
                HasSubstr("cannot transmit with 4095 packet buffers"));
}

TEST(RuntimePlan, WhatCannotBeIsNamedWithWhatCan) {
    EXPECT_THAT(refused([](auto& o) { o.ports.clear(); }), HasSubstr("at least one port"));
    EXPECT_THAT(refused([](auto& o) { o.workers = 0; }), HasSubstr("at least one worker"));
    EXPECT_THAT(refused([](auto& o) { o.workers = kLcores + 1; }), HasSubstr("(16)"));
    EXPECT_THAT(refused([](auto& o) { o.idle_sleep = std::chrono::milliseconds(51); }),
                HasSubstr("use 0 to 50000"));
    EXPECT_THAT(refused([](auto& o) { o.ports[0].mtu = 67; }), HasSubstr("68 to 65000"));
    EXPECT_THAT(refused([](auto& o) { o.ports[0].address.address = {}; }),
                HasSubstr("unicast address of its own"));
    EXPECT_THAT(refused([](auto& o) { o.ports[0].minimum_igmp_version = 4; }),
                HasSubstr("no IGMP version 4"));
    EXPECT_THAT(refused([](auto& o) { o.ports[0].vlan = "4095"; }), Not("accepted"));
    EXPECT_THAT(refused([](auto& o) { o.recorder.packets = kMostRecordedPackets + 1; }),
                HasSubstr("1000000 at most"));
    EXPECT_THAT(refused([](auto& o) {
                    o.recorder.packets = 1;
                    o.recorder.snap = 13;
                }),
                HasSubstr("14 to 2048"));
}

TEST(RuntimePlan, WorkersGoToTheLastCpusUnlessTheyAreNamed) {
    RuntimeOptions options = good();
    const std::array<unsigned, 3> usable{1, 3, 5};
    options.workers = 2;
    EXPECT_THAT(choose_cpus(options, usable), ElementsAre(5, 3));
    options.workers = 4;  // more than CPUs: they share
    EXPECT_THAT(choose_cpus(options, usable), ElementsAre(5, 3, 1, 5));
    options.workers = 2;
    options.cpus = {1, 1, 3};
    EXPECT_THAT(choose_cpus(options, usable), ElementsAre(1, 1));
    options.cpus = {1, 2};
    EXPECT_THROW(static_cast<void>(choose_cpus(options, usable)), std::system_error);
    options.cpus = {1};
    EXPECT_THROW(static_cast<void>(choose_cpus(options, usable)), std::system_error);
}

TEST(RuntimePlan, TheLogTellsWhatMemoryTheBuffersGot) {
    constexpr std::uint64_t kMega = 1 << 20;
    EXPECT_EQ(memory_remark(201, 100 * kMega, 101 * kMega),
              "no hugepages are reserved: packet buffers lie in transparent ones, which the kernel "
              "may take apart; 'echo 101 > /proc/sys/vm/nr_hugepages' reserves enough");
    EXPECT_THAT(memory_remark(201, 100 * kMega, 30 * kMega),
                HasSubstr("70 MB of the 100 MB of packet buffers lie in ordinary memory"));
}

}  // namespace
}  // namespace joinleaf::controlplane
