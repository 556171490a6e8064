// A root or leaf as a service of systemd: when it is alive, and what is said of it.
#include <apps/joinleaf/report.h>
#include <apps/joinleaf/service.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>
#include <cstdio>
#include <cstdlib>

namespace joinleaf::app {
namespace {

std::vector<WorkerStatus> with_turns(std::initializer_list<std::uint64_t> turns) {
    std::vector<WorkerStatus> workers;
    for (const auto each : turns) workers.push_back({.turns = each});
    return workers;
}

// One worker that is stuck is enough, however busy the others are.
TEST(Watchdog, IsFedWhileEachWorkerMakesTurns) {
    WorkersProgress progress;
    EXPECT_FALSE(progress.goes_on(with_turns({0, 0})));
    EXPECT_TRUE(progress.goes_on(with_turns({5, 1})));
    EXPECT_TRUE(progress.goes_on(with_turns({6, 2})));
    EXPECT_FALSE(progress.goes_on(with_turns({7, 2})));
    EXPECT_FALSE(progress.goes_on(with_turns({8, 2})));
    EXPECT_TRUE(progress.goes_on(with_turns({9, 3})));
}

TEST(ServiceStatus, SaysHowItGoes) {
    Status status;
    status.ports.push_back({.spec = "eth1", .link_up = true});
    status.ports[0].counters.delivered = 12345;
    status.ports[0].counters.sent = 77;
    status.memberships.resize(2, {.group = {GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)}});
    EXPECT_EQ(service_status(Role::leaf, status), "on eth1: 2 joined, 12,345 datagrams delivered");
    EXPECT_EQ(service_status(Role::root, status), "on eth1: 77 datagrams sent");
    status.ports[0].link_up = false;
    status.admissions.push_back({.group = status.memberships[0].group, .members = 3});
    EXPECT_EQ(service_status(Role::root, status), "on eth1 (no link): 77 datagrams sent, 3 leaves");
}

TEST(Journal, IsToldByItsStream) {
    struct stat error {};
    ASSERT_EQ(::fstat(STDERR_FILENO, &error), 0);
    ::unsetenv("JOURNAL_STREAM");
    EXPECT_FALSE(logs_to_journal());
    ::setenv("JOURNAL_STREAM", "1:2", 1);
    EXPECT_FALSE(logs_to_journal());
    ::setenv("JOURNAL_STREAM", fmt::format("{}:{}", error.st_dev, error.st_ino).c_str(), 1);
    EXPECT_TRUE(logs_to_journal());
    ::unsetenv("JOURNAL_STREAM");
}

TEST(Journal, HasThePriorityOfEachLine) {
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* const out = ::open_memstream(&text, &size);
    {
        Reporter report({.command = "joinleaf leaf",
                         .text_to = out,
                         .errors_to = out,
                         .prefix = "joinleaf leaf: ",
                         .journal = true});
        report.text("joined");
        report.note("no hugepages");
        report.error("it broke");
    }
    std::fclose(out);
    EXPECT_EQ(std::string(text, size),
              "<6>joinleaf leaf: joined\n"
              "<5>joinleaf leaf: no hugepages\n"
              "<3>joinleaf leaf: it broke\n");
    std::free(text);
}

}  // namespace
}  // namespace joinleaf::app
