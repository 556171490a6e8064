// The log between threads: one writes, one takes, one copies of the past and is overtaken; meant
// for ThreadSanitizer too.
#include <dataplane/message_log.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace joinleaf::dataplane {
namespace {

using Number = net::BigEndian<std::uint64_t>;

const net::MoldSession kSession = net::MoldSession::from("S1").value();

// Its own number again and again, as many times as the number says.
std::size_t length_of(std::uint64_t number) { return 8 + 8 * (number % 23); }
void write(std::uint64_t number, std::byte* to) {
    for (std::size_t i = 0; i < length_of(number); i += 8) net::store(to + i, Number(number));
}
bool is_right(std::span<const std::byte> message, std::uint64_t number) {
    if (message.size() != length_of(number)) return false;
    for (std::size_t i = 0; i < message.size(); i += 8) {
        if (net::load<Number>(message.data() + i) != number) return false;
    }
    return true;
}
std::uint64_t count_wrong(const std::byte* messages, std::uint32_t count, std::uint64_t first) {
    std::uint64_t wrong = 0;
    for (const auto message : net::MoldMessages(messages, count)) {
        wrong += is_right(message, first++) ? 0 : 1;
    }
    return wrong;
}

// Copies from the oldest end, which the writer is about to overwrite.
struct Copier {
    const MessageLog& log;
    std::atomic<bool> stop = false;
    std::uint64_t copied = 0;
    std::uint64_t overtaken = 0;
    std::uint64_t wrong = 0;

    void run() {
        std::array<std::byte, 1452> out{};
        while (!stop.load(std::memory_order_relaxed)) {
            const auto known = log.known();
            if (known.range.count() == 0) continue;
            std::size_t octets = 0;
            const auto n = log.copy(known, known.range.first, 100, out, octets);
            wrong += count_wrong(out.data(), n, known.range.first);
            n == 0 ? ++overtaken : copied += n;
        }
    }
};

TEST(MessageLogThreads, WhoTakesReadsAllAndWhoCopiesReadsNothingWrong) {
    constexpr std::uint64_t kMessages = 300'000;
    MessageLog log(kSession, 2000, 1);
    std::thread writer([&] {
        for (std::uint64_t next = 1; next <= kMessages;) {
            std::byte* const to = log.reserve(length_of(next));
            if (to == nullptr) {
                log.commit();
                std::this_thread::yield();
                continue;
            }
            write(next, to);
            log.add(length_of(next));
            if (next++ % 7 == 0) log.commit();
        }
        log.commit();
    });
    Copier copier{.log = log};
    std::thread copying([&] { copier.run(); });
    std::uint64_t wrong = 0;
    for (std::uint64_t next = 1; next <= kMessages;) {
        const std::uint64_t end = log.end();
        if (end == next) std::this_thread::yield();
        wrong += count_wrong(log.at(next), static_cast<std::uint32_t>(end - next), next);
        next = end;
        log.take(next);
    }
    writer.join();
    copier.stop = true;
    copying.join();
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(copier.wrong, 0u);
    EXPECT_GT(copier.copied, 0u);
    EXPECT_EQ(log.range().end, kMessages + 1);  // and nothing more
}

// At a leaf nobody is waited for: the writer laps whoever copies, and sessions and gaps come too.
TEST(MessageLogThreads, WhoIsLappedCopiesNothingWrong) {
    constexpr std::uint64_t kRounds = 100'000;
    MessageLog log(kSession, 64, 1);
    Copier copier{.log = log};
    std::thread copying([&] { copier.run(); });
    std::vector<std::byte> bytes(10 * 200);
    std::uint64_t next = 1;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
        if (round % 5000 == 0) {
            log.begin_session(kSession);
            next = 1;
        }
        if (round % 301 == 0) next += 5;
        std::byte* to = bytes.data();
        for (std::uint64_t n = next; n < next + 10; to += 2 + length_of(n++)) {
            net::emit_mold_length(length_of(n), to);
            write(n, to + 2);
        }
        log.append(next, net::MoldMessages(bytes.data(), 10));
        next += 10;
    }
    copier.stop = true;
    copying.join();
    EXPECT_EQ(copier.wrong, 0u);
    EXPECT_EQ(log.range().end, next);
}

}  // namespace
}  // namespace joinleaf::dataplane
