// Floods: whatever strangers do, an honest leaf is admitted within a second, and the thread that
// the transport runs on is given back to others all the time.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <tests/unit/transport/transport_under_test.h>
#include <unistd.h>

#include <asio/steady_timer.hpp>
#include <atomic>
#include <ctime>
#include <deque>
#include <thread>

namespace joinleaf::controlplane::test_support {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

constexpr Ipv4Address kHonest{127, 0, 0, 7};
constexpr std::size_t kConnects = 10'000;
// Of them; on a busy machine the kernel's own queue overflows, and the rest never get so far.
constexpr auto kHeard = kConnects / 2;

/// Connects again and again, from one address after the other, says `words` and never listens;
/// holds on to its last few hundred connections.
void flood(ControlEndpoint at, const std::vector<Ipv4Address>& from, std::string_view words) {
    constexpr std::size_t kHeld = 400;
    std::deque<int> held;
    for (std::size_t i = 0; i < kConnects; ++i) {
        const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (descriptor < 0) break;
        sockaddr_in own{};
        own.sin_family = AF_INET;
        own.sin_addr.s_addr = htonl(from[i % from.size()].value());
        sockaddr_in other = own;
        other.sin_addr.s_addr = htonl(at.address.value());
        other.sin_port = htons(at.port.value());
        bind(descriptor, reinterpret_cast<const sockaddr*>(&own), sizeof own);
        if (connect(descriptor, reinterpret_cast<const sockaddr*>(&other), sizeof other) == 0 ||
            errno == EINPROGRESS) {
            send(descriptor, words.data(), words.size(), MSG_NOSIGNAL);
        }
        held.push_back(descriptor);
        if (held.size() > kHeld) {
            close(held.front());
            held.pop_front();
        }
    }
    for (const int descriptor : held) close(descriptor);
}

class Flood : public TransportTest {
protected:
    Flood() {
        rlimit files{};
        getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8192);
        setrlimit(RLIMIT_NOFILE, &files);
    }

    void start(std::shared_ptr<const TlsContext> tls = nullptr) {
        root_ = std::make_unique<Station>(io_, AdmissionTransportOptions{.tls = std::move(tls)});
        root_->on_message = [this](ConnectionId id, const AdmissionMessage&) {
            (*root_)->send(id, test::an_admission());
        };
        at_ = listen(*root_);
    }

    /// One honest leaf after the other asks to be let in while `attack` runs in a thread of its
    /// own. A leaf that is thrown out tries again, within its second; with `tries` 1 it may not.
    void expect_admission_during(const std::function<void()>& attack, std::size_t tries = 1,
                                 std::shared_ptr<const TlsContext> tls = nullptr) {
        std::atomic<bool> over = false;
        std::thread attacker([&] {
            attack();
            over = true;
        });
        tick();
        Station leaf(io_, {.tls = std::move(tls), .dial_from = kHonest});
        leaf.on_connected = [&](ConnectionId id) { leaf->send(id, test::a_request()); };
        Duration longest{};
        std::size_t admitted = 0;
        std::size_t most_tries = 0;
        bool in_time = true;
        do {
            const Instant before = std::chrono::steady_clock::now();
            std::size_t tried = 0;
            do {
                leaf.connect_failed.clear();
                leaf.disconnected.clear();
                leaf.dial(at_);
                ++tried;
                in_time =
                    run_until([&] { return leaf.received.size() > admitted || failed(leaf); });
            } while (in_time && failed(leaf) && tried < tries);
            if (!in_time || failed(leaf)) break;
            longest = std::max(longest, std::chrono::steady_clock::now() - before);
            most_tries = std::max(most_tries, tried);
            ++admitted;
            leaf->hang_up(leaf.received.back().first);
            run_for(10ms);
        } while (!over || admitted < 3);
        attacker.join();
        EXPECT_TRUE(in_time);
        EXPECT_THAT(leaf.connect_failed, IsEmpty());
        EXPECT_THAT(leaf.disconnected, IsEmpty());
        EXPECT_GE(admitted, 3u);
        // The ticker runs on the same thread: it knows for how long the machine did other things.
        EXPECT_LE(longest, 1s + widest_gap_);
        // A host that takes the CPU away has it counted as ours, now and then; a stretch that is
        // too long by itself comes again and again.
        EXPECT_LE(long_stretches_, 2u);
        EXPECT_LE((*root_)->half_open_count(), 1024u);
        RecordProperty("admitted", static_cast<int>(admitted));
        RecordProperty("most_tries", static_cast<int>(most_tries));
        RecordProperty("longest_us", static_cast<int>(longest / 1us));
        RecordProperty("widest_gap_us", static_cast<int>(widest_gap_ / 1us));
        RecordProperty("busiest_gap_us", static_cast<int>(busiest_gap_ / 1us));
    }

    static bool failed(const Station& leaf) {
        return !leaf.connect_failed.empty() || !leaf.disconnected.empty();
    }

    /// Stands for IGMP's timers on the same thread: a millisecond, again and again.
    void tick() {
        ticker_.expires_after(1ms);
        ticker_.async_wait([this, before = std::chrono::steady_clock::now(),
                            busy_before = processor_time()](std::error_code) {
            widest_gap_ = std::max(widest_gap_, std::chrono::steady_clock::now() - before);
            const Duration busy = processor_time() - busy_before;
            busiest_gap_ = std::max(busiest_gap_, busy);
            if (busy > kLongStretch) ++long_stretches_;
            tick();
        });
    }

    /// What this thread has used.
    static Duration processor_time() {
        timespec used{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
        return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
    }

    std::unique_ptr<Station> root_;
    ControlEndpoint at_;
    asio::steady_timer ticker_{io_};
    Duration widest_gap_{};                         // between two ticks
    Duration busiest_gap_{};                        // likewise, in this thread's own time
    static constexpr Duration kLongStretch = 50ms;  // with sanitizers; without, some 4
    std::size_t long_stretches_ = 0;
};

TEST_F(Flood, OfConnectsFromAnotherAddress) {
    start();
    expect_admission_during([this] { flood(at_, {Ipv4Address(127, 9, 9, 9)}, ""); });
    EXPECT_GE((*root_)->counters().accepted, kHeard);
    EXPECT_GT((*root_)->counters().half_open_evicted + (*root_)->counters().half_open_gave_up, 0u);
}

TEST_F(Flood, OfConnectsFromTheWholeRangeOfTheLeaf) {
    start();
    std::vector<Ipv4Address> range;
    for (std::uint8_t last = 1; last < 255; ++last) range.emplace_back(127, 0, 0, last);
    expect_admission_during([&] { flood(at_, range, ""); }, 100);
    EXPECT_GE((*root_)->counters().accepted, kHeard);
}

// Behind the same NAT, or on the same host: the leaf may be taken for one of them until it speaks.
TEST_F(Flood, OfConnectsFromTheLeafsOwnAddress) {
    start();
    expect_admission_during([this] { flood(at_, {kHonest}, ""); }, 100);
    EXPECT_GE((*root_)->counters().accepted, kHeard);
}

TEST_F(Flood, OfGarbage) {
    start();
    expect_admission_during(
        [this] { flood(at_, {Ipv4Address(127, 9, 9, 9)}, "GET / HTTP/1.1\r\n\r\n"); });
    EXPECT_GT((*root_)->counters().too_long, 0u);
    EXPECT_GT((*root_)->counters().address_too_fast, 0u);
}

TEST_F(Flood, OfSlowLorisClients) {
    start();
    expect_admission_during([this] {
        std::vector<RawSocket> clients;
        for (int i = 0; i < 500; ++i) clients.emplace_back(at_, Ipv4Address(127, 9, 9, 9));
        const auto frame = request_frame();
        for (std::size_t i = 0; i + 1 < frame.size(); ++i) {
            for (const auto& client : clients) {
                client.write(std::span(frame).subspan(i, 1));
            }
            std::this_thread::sleep_for(20ms);
        }
    });
    EXPECT_GE((*root_)->counters().accepted, 500u);
}

class TlsFlood : public Flood {
protected:
    /// Connects with `tls` from another address, some at a time, until `count` have failed.
    void dial_in_vain(const std::shared_ptr<const TlsContext>& tls, std::size_t count) {
        asio::io_context io;
        Station attacker(io, {.tls = tls, .dial_from = Ipv4Address(127, 9, 9, 9)});
        const auto over = [&] {
            return attacker.connect_failed.size() + attacker.disconnected.size();
        };
        for (std::size_t begun = 0; over() < count;) {
            for (; begun < count && begun - over() < 64; ++begun) attacker.dial(at_);
            io.restart();
            io.run_for(1ms);
        }
    }

    test::TemporaryFolder folder_;
    test::Authority authority_{folder_, "authority"};
};

TEST_F(TlsFlood, OfWrongKeys) {
    const auto good = TlsContext::load(
        {.psk_file = folder_.write("good", "desk-7:000102030405060708090a0b0c0d0e0f")});
    const auto wrong = TlsContext::load(
        {.psk_file = folder_.write("wrong", "desk-7:ffffffffffffffffffffffffffffffff")});
    start(*good);
    expect_admission_during([&] { dial_in_vain(*wrong, 1000); }, 1, *good);
    EXPECT_GE((*root_)->counters().tls_failed, 100u);
    EXPECT_GT((*root_)->counters().address_too_fast, 0u);
}

TEST_F(TlsFlood, OfExpiredCertificates) {
    const auto load = [&](const test::CertificateFiles& files, auto now) {
        return TlsContext::load({.certificate_file = files.certificate,
                                 .key_file = files.key,
                                 .ca_file = authority_.file()},
                                now)
            .value();
    };
    const auto now = std::chrono::system_clock::now();
    const auto expired =
        load(authority_.sign(
                 "old", {.common_name = "desk-7", .valid_from_days = -10, .valid_for_days = 5}),
             now - std::chrono::hours(24 * 7));
    start(load(authority_.sign("root", {.common_name = "root"}), now));
    expect_admission_during([&] { dial_in_vain(expired, 1000); }, 1,
                            load(authority_.sign("leaf", {.common_name = "desk-7"}), now));
    EXPECT_GE((*root_)->counters().tls_failed, 100u);
}

}  // namespace
}  // namespace joinleaf::controlplane::test_support
