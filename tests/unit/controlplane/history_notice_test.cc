// What one thread tells, another reads whole or not at all.
#include <controlplane/history_notice.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace joinleaf::controlplane {
namespace {

HistoryBegins begins(char name, std::uint64_t sequence) {
    HistoryBegins made{.session = {}, .sequence = sequence};
    made.session.fill(name);
    return made;
}

TEST(HistoryNotice, TheLatestIsReadAgainAndAgain) {
    HistoryNotice notice;
    EXPECT_EQ(notice.read(), std::nullopt);
    notice.tell(begins('a', 40));
    notice.tell(begins('b', 41));
    EXPECT_EQ(notice.read(), begins('b', 41));
    EXPECT_EQ(notice.read(), begins('b', 41));
    notice.forget();
    EXPECT_EQ(notice.read(), std::nullopt);
}

TEST(HistoryNotice, ASessionsNameComesWithoutItsPadding) {
    HistoryBegins told{.session = {'S', ' ', '1', ' ', ' ', ' ', ' ', ' ', ' ', ' '},
                       .sequence = 1};
    EXPECT_EQ(told.session_name(), "S 1");
    told.session.fill(' ');
    EXPECT_EQ(told.session_name(), "");
}

TEST(HistoryNotice, WhileItIsWrittenItIsReadWholeOrNotAtAll) {
    constexpr std::uint64_t kTold = 200'000;
    HistoryNotice notice;
    std::atomic<bool> over{false};
    std::uint64_t last = 0;
    std::thread reader([&] {
        while (!over.load()) {
            const auto read = notice.read();
            if (!read) continue;
            EXPECT_EQ(*read, begins(static_cast<char>('a' + read->sequence % 26), read->sequence));
            EXPECT_GE(read->sequence, last);
            last = read->sequence;
        }
    });
    for (std::uint64_t i = 1; i <= kTold; ++i) {
        notice.tell(begins(static_cast<char>('a' + i % 26), i));
    }
    over = true;
    reader.join();
    EXPECT_EQ(notice.read()->sequence, kTold);
}

}  // namespace
}  // namespace joinleaf::controlplane
