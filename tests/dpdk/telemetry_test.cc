// Telemetry as its clients meet it: at the socket of this process, while runtimes come and go.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/stat/sample.h>
#include <controlplane/status_service.h>
#include <dataplane/dpdk/runtime_folder.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tests/dpdk/sockets_under_test.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

namespace joinleaf {
namespace {

namespace fs = std::filesystem;

using namespace test;
using namespace std::chrono_literals;
using app::Json;
using app::TelemetryClient;
using controlplane::StatusService;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

fs::path own_folder() {
    return dataplane::dpdk::dpdk_folder() /
           (std::string(dataplane::dpdk::kFolderPrefix) + std::to_string(::getpid()));
}
std::string own_socket() { return own_folder() / "dpdk_telemetry.v2"; }

class Telemetry : public Rooted {
protected:
    TelemetryClient client{own_socket()};
};

TEST_F(Telemetry, TellsThePortsAndWorkersOfARuntime) {
    EXPECT_TRUE(client.is_joinleaf());
    EXPECT_EQ(client.pid(), ::getpid());
    const auto ports = client.rows("ports");
    ASSERT_THAT(ports, SizeIs(2));
    EXPECT_EQ(ports[0]["port"], "ring:rooted#0");
    EXPECT_EQ(ports[1]["port"], "ring:rooted#1");
    EXPECT_EQ(ports[0]["driver"], "net_ring");
    EXPECT_EQ(ports[0]["link_up"], 1);
    const auto workers = client.rows("workers");
    ASSERT_THAT(workers, SizeIs(1));
    EXPECT_TRUE(eventually([&] { return client.rows("workers")[0]["running_ns"] > 0; }));
    EXPECT_THAT(client.rows("nonsense"), IsEmpty());
}

TEST_F(Telemetry, TellsWhoIsInAndWhatReachesHim) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    auto [leaf, at_root] = let_in(root, open_leaf());
    app::JsonRows leaves;
    ASSERT_TRUE(eventually([&] { return !(leaves = client.rows("leaves")).empty(); }));
    ASSERT_THAT(leaves, SizeIs(1));
    EXPECT_EQ(leaves[0]["socket"], std::to_string(static_cast<std::uint32_t>(root.id())));
    EXPECT_EQ(leaves[0]["stage"], "member");
    EXPECT_EQ(leaves[0]["data_address"], "10.9.0.2");
    EXPECT_TRUE(eventually([&] { return client.rows("sessions")[0]["members"] == 1; }));
    EXPECT_EQ(client.rows("sessions")[0]["admitted_leaves"], 1);

    auto sender = root.sender();
    ASSERT_TRUE(sender);
    send(*sender, "hello");
    EXPECT_EQ(receive(leaf_receiver), "hello");
    EXPECT_TRUE(eventually([&] {
        const auto groups = client.rows("groups");
        return std::ranges::any_of(groups, [](const Json& group) {
            return group["port"] == "ring:rooted#1" && group["delivered_datagrams"] == 1;
        });
    }));
    EXPECT_TRUE(eventually([&] { return client.rows("workers")[0]["frames"] >= 2; }));

    leaf.close();
    EXPECT_TRUE(eventually([&] { return client.rows("leaves").empty(); }));
    EXPECT_TRUE(eventually([&] { return client.rows("sessions")[0]["left_leaves"] == 1; }));
}

TEST_F(Telemetry, LeavesAreToldFromANumberOnAndNoMoreThanAskedFor) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    auto [leaf, at_root] = let_in(root, open_leaf());
    const MuteLeaf another(root_at);
    auto accepted = accepting(root);
    ASSERT_TRUE(eventually([&] { return runtime.leaves(root.id()).size() == 2; }));
    const auto both = runtime.leaves(root.id());
    EXPECT_EQ(both[0].stage, "member");
    EXPECT_EQ(both[1].stage, "admitted");
    EXPECT_EQ(both[1].peer.data_address, Ipv4Address(10, 9, 0, 9));
    EXPECT_LT(both[0].number, both[1].number);
    EXPECT_THAT(runtime.leaves(root.id(), 0, 1), SizeIs(1));
    ASSERT_THAT(runtime.leaves(root.id(), both[0].number), SizeIs(1));
    EXPECT_EQ(runtime.leaves(root.id(), both[0].number)[0].number, both[1].number);
    EXPECT_THAT(runtime.leaves(root.id(), both[1].number), IsEmpty());
    EXPECT_THAT(runtime.leaves(leaf.id()), IsEmpty());
    EXPECT_TRUE(accepted.get());
}

TEST_F(Telemetry, RowsOfSeveralRuntimesSayWhoseTheyAre) {
    const Runtime second = Runtime::start(quiet({port("ring:second", 3)}));
    const auto ports = client.rows("ports");
    ASSERT_THAT(ports, SizeIs(3));
    EXPECT_EQ(ports[0]["runtime"], "0");
    EXPECT_EQ(ports[2]["runtime"], "1");
    EXPECT_EQ(ports[2]["port"], "ring:second");
}

/// A client that has been greeted: a descriptor.
int greeted() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(own_socket(), std::begin(address.sun_path));
    std::array<char, 1024> greeting;
    int fd = -1;
    // Those who have just gone still hold their places, of which there are ten.
    EXPECT_TRUE(eventually([&] {
        if (fd >= 0) ::close(fd);
        fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
               ::recv(fd, greeting.data(), greeting.size(), 0) > 0;
    }));
    return fd;
}

/// An answer as it is on the wire.
std::string ask(const std::string& command) {
    const int fd = greeted();
    std::string answer(20'000, '\0');
    EXPECT_GT(::send(fd, command.data(), command.size(), MSG_NOSIGNAL), 0);
    const ssize_t got = ::recv(fd, answer.data(), answer.size(), 0);
    answer.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    ::close(fd);
    return answer;
}

TEST_F(Telemetry, WhatMeansNothingIsAnsweredByNull) {
    for (const auto* wrong : {"/joinleaf/ports,x", "/joinleaf/leaves,1,",
                              "/joinleaf/leaves,1,2,3,4", "/joinleaf/groups,-1"}) {
        const auto answer = Json::parse(ask(wrong), nullptr, false);
        EXPECT_TRUE(answer.is_object() && answer.front().is_null()) << wrong << answer.dump();
    }
    EXPECT_EQ(Json::parse(ask("/joinleaf/ports,99"))["/joinleaf/ports"]["rows"].size(), 0u);
    EXPECT_EQ(Json::parse(ask("/joinleaf/leaves,99"))["/joinleaf/leaves"]["total"], 0);
}

/// Clients that telemetry has a thread for.
std::ptrdiff_t clients() {
    std::ptrdiff_t threads = 0;
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
        std::string name;
        std::ifstream(task.path() / "comm") >> name;
        if (name == "telemetry-v2") ++threads;
    }
    return threads - 1;  // one listens
}

// Its answer meets nobody, which must not end the process by a signal.
TEST_F(Telemetry, WhoHangsUpEarlyDoesNoHarm) {
    constexpr std::string_view kLong = "/joinleaf/igmp";
    const auto before = std::signal(SIGPIPE, SIG_DFL);  // whoever started the tests may ignore it
    for (int i = 0; i < 50; ++i) {
        const int fd = greeted();
        for (int n = 0; n < 5; ++n) {
            EXPECT_GT(::send(fd, kLong.data(), kLong.size(), MSG_NOSIGNAL), 0);
        }
        ::close(fd);
    }
    EXPECT_NE(ask("/joinleaf/ports"), "");
    EXPECT_TRUE(eventually([] { return clients() == 1; })) << "the one of this fixture stays";
    std::signal(SIGPIPE, before);
}

/// Who has many groups, and two roots with many leaves whose names are the longest to write.
class Crowd {
public:
    static constexpr std::size_t kGroups = 10'000;
    static constexpr std::size_t kLeaves = 1000;

    [[nodiscard]] StatusService::Source source() {
        return {.status = [this] { return status(); },
                .leaves = [](SocketId socket, std::uint64_t after,
                             std::size_t limit) { return leaves(socket, after, limit); }};
    }
    std::atomic<int> asked{0};

private:
    Status status() {
        ++asked;
        Status status;
        status.ports.resize(1);
        for (std::uint32_t i = 0; i < kGroups; ++i) {
            status.memberships.push_back(
                {.socket = i, .group = {GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)}});
        }
        for (const std::uint32_t socket : {3U, 7U}) {
            status.admissions.push_back(
                {.socket = socket,
                 .group = {GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)},
                 .members = kLeaves});
        }
        return status;
    }
    static std::vector<LeafStatus> leaves(SocketId socket, std::uint64_t after, std::size_t limit) {
        std::vector<LeafStatus> some;
        // Numbers have holes, where leaves have gone.
        for (std::uint64_t i = after / 2 + 1; i <= kLeaves && some.size() < limit; ++i) {
            some.push_back({.number = 2 * i, .stage = "member"});
            some.back().peer.name = std::string(255, '"');
            some.back().peer.identity = std::to_string(static_cast<std::uint32_t>(socket));
        }
        return some;
    }
};

// As unique names, since a row that comes twice would hide one that is missing.
std::set<std::string> names(const app::JsonRows& rows, std::initializer_list<const char*> fields) {
    std::set<std::string> all;
    for (const auto& row : rows) {
        std::string name;
        for (const auto* field : fields) name += row[field].get<std::string>() + " ";
        EXPECT_TRUE(all.insert(name).second) << name;
    }
    return all;
}

TEST(TelemetryPages, ManyRowsAreWholeAndOfOneLook) {
    Crowd crowd;
    const auto told = StatusService::instance().add(crowd.source());
    TelemetryClient client(own_socket());
    EXPECT_THAT(names(client.rows("groups"), {"socket"}), SizeIs(Crowd::kGroups));
    EXPECT_EQ(crowd.asked, 1);
    EXPECT_THAT(names(client.rows("leaves"), {"socket", "number"}), SizeIs(2 * Crowd::kLeaves));
    EXPECT_LE(crowd.asked, 3);  // and one for each root, at most

    const auto second = Json::parse(ask("/joinleaf/leaves,7,1990"))["/joinleaf/leaves"];
    EXPECT_EQ(second["total"], Crowd::kLeaves);
    ASSERT_THAT(second["rows"], SizeIs(5));
    EXPECT_EQ(second["rows"]["0"]["number"], "1992");
    EXPECT_EQ(second["rows"]["0"]["identity"], "7");
    EXPECT_FALSE(second.contains("next"));
}

TEST(TelemetryWithoutARuntime, HasEveryTableAndNoRows) {
    { const Runtime runtime = Runtime::start(quiet({port("ring:gone", 1)})); }
    TelemetryClient client(own_socket());
    for (const auto& [table, rows] : app::take_sample(client).tables) {
        EXPECT_THAT(rows, IsEmpty()) << table;
    }
}

TEST(TelemetryWithoutARuntime, AnswersWhileRuntimesComeAndGo) {
    { const Runtime first = Runtime::start(quiet({port("ring:first", 1)})); }
    std::atomic<bool> done{false};
    std::atomic<int> looks{0};
    std::vector<std::thread> watchers;
    for (int i = 0; i < 3; ++i) {
        watchers.emplace_back([&] {
            TelemetryClient client(own_socket());
            for (; !done; ++looks) static_cast<void>(app::take_sample(client));
        });
    }
    for (int i = 0; i < 20; ++i) {
        Runtime runtime = Runtime::start(quiet({port("ring:again", 1)}));
        const int seen = looks;
        EXPECT_TRUE(eventually([&] { return looks > seen + 1; }));
        runtime.stop(0ms);
    }
    done = true;
    for (auto& watcher : watchers) watcher.join();
}

TEST(TelemetryFolders, OnlyThoseOfDeadProcessesAreRemoved) {
    const auto folder = dataplane::dpdk::dpdk_folder();
    constexpr int kNobody = (1 << 22) + 1;  // more than Linux numbers processes
    const auto dead = folder / ("joinleaf-" + std::to_string(kNobody));
    const auto without_socket = folder / ("joinleaf-" + std::to_string(kNobody + 1));
    const auto not_ours = folder / "joinleaf-test";
    for (const auto& made : {dead, without_socket, not_ours}) fs::create_directories(made);
    for (const auto& made : {dead, not_ours}) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::ranges::copy((made / "dpdk_telemetry.v2").native(), std::begin(address.sun_path));
        const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        ::close(fd);
    }
    dataplane::dpdk::remove_folders_of_the_dead();
    EXPECT_FALSE(fs::exists(dead));
    EXPECT_TRUE(fs::exists(without_socket));
    EXPECT_TRUE(fs::exists(not_ours));
    EXPECT_TRUE(fs::exists(own_folder()));
    fs::remove_all(without_socket);
    fs::remove_all(not_ours);
}

}  // namespace
}  // namespace joinleaf
