// Where commands come from: a Unix socket of the same user, or standard input.
#include <apps/joinleaf/console.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/tell.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class ConsoleTest : public testing::Test {
protected:
    ConsoleTest() {
        std::string name = testing::TempDir() + "joinleaf-XXXXXX";
        folder_ = ::mkdtemp(name.data());
        path_ = folder_ + "/commands";
    }
    ~ConsoleTest() override { std::filesystem::remove_all(folder_); }

    /// A connection to the console, whose turns are the test's.
    [[nodiscard]] Descriptor connection() const {
        Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        const auto* generic = reinterpret_cast<const sockaddr*>(&address);
        if (::connect(fd.get(), generic, sizeof address) != 0) return {};
        return fd;
    }
    static void say(const Descriptor& fd, std::string_view text) {
        EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    /// What has been answered; "<end>" behind it when the console has hung up.
    static std::string heard(const Descriptor& fd) {
        std::string all;
        std::array<char, 65536> some;
        for (;;) {
            const ssize_t got = ::read(fd.get(), some.data(), some.size());
            if (got == 0) return all + "<end>";
            if (got < 0) return all;
            all.append(some.data(), static_cast<std::size_t>(got));
        }
    }
    void serve(Console& console, int turns = 4) {
        for (int i = 0; i < turns; ++i) {
            console.serve(-1, 0ms, [this](std::string_view line) {
                lines_.emplace_back(line);
                return answer_.empty() ? "[" + std::string(line) + "]" : answer_;
            });
        }
    }

    std::string folder_, path_;
    std::string answer_;
    std::vector<std::string> lines_;
};

void nothing_to_say(std::string_view text) { ADD_FAILURE() << text; }

TEST_F(ConsoleTest, AnswersEachLineOfEachConnection) {
    Console console(path_, nothing_to_say);
    const auto one = connection(), two = connection();
    ASSERT_TRUE(one && two);
    say(one, "leaves\n\n  \nexpel a\nexp");
    say(two, "help\r\n");
    serve(console);
    EXPECT_EQ(heard(one), "[leaves][expel a]");
    EXPECT_EQ(heard(two), "[help\r]");
    say(one, "el b\n");
    serve(console);
    EXPECT_EQ(heard(one), "[expel b]");
}

// As in: echo expel b | nc -NU commands
TEST_F(ConsoleTest, AnswersWhatCameBeforeTheEndAndHangsUp) {
    Console console(path_, nothing_to_say);
    const auto one = connection();
    say(one, "leaves\nexpel b");
    ::shutdown(one.get(), SHUT_WR);
    serve(console);
    EXPECT_EQ(heard(one), "[leaves][expel b]<end>");
}

TEST_F(ConsoleTest, AnEndlessLineIsTurnedDown) {
    Console console(path_, nothing_to_say);
    const auto one = connection();
    say(one, std::string(Console::kLongestLine + 1, 'x'));
    serve(console, 6);
    EXPECT_THAT(heard(one), HasSubstr("error: that line is too long"));
    EXPECT_TRUE(lines_.empty());
}

TEST_F(ConsoleTest, WhoDoesNotReadGetsNoMoreAnswers) {
    Console console(path_, nothing_to_say);
    const auto one = connection();
    answer_ = std::string(1 << 20, 'a');
    for (int i = 0; i < 100; ++i) say(one, "leaves\n");
    serve(console, 50);
    EXPECT_EQ(lines_.size(), 1u);
    std::string all;
    for (int i = 0; i < 10000 && lines_.size() < 100; ++i) {
        all += heard(one);
        serve(console);
    }
    EXPECT_EQ(lines_.size(), 100u) << "it has read: " << all.size();
}

TEST_F(ConsoleTest, HasABoundOnConnections) {
    Console console(path_, nothing_to_say);
    std::vector<Descriptor> idle;
    // Each turn lets one in.
    for (std::size_t i = 0; i < Console::kMostClients; ++i) {
        idle.push_back(connection());
        serve(console, 1);
    }
    const auto late = connection();
    say(late, "leaves\n");
    serve(console);
    EXPECT_EQ(heard(late), "") << "it waits";
    idle.pop_back();
    serve(console);
    EXPECT_EQ(heard(late), "[leaves]");
}

TEST_F(ConsoleTest, IsForThisUserAloneAndGoesWithItsOwner) {
    {
        const Console console(path_, nothing_to_say);
        struct stat kind {};
        ASSERT_EQ(::stat(path_.c_str(), &kind), 0);
        EXPECT_EQ(kind.st_mode & 0777, 0600u);
    }
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ConsoleTest, TakesThePlaceOfASocketThatNobodyListensAt) {
    auto killed = std::make_unique<Console>(path_, nothing_to_say);
    try {
        const Console second(path_, nothing_to_say);
        ADD_FAILURE() << "two programs at one path";
    } catch (const Failure& failure) {
        EXPECT_THAT(failure.what(), HasSubstr("another program listens at " + path_));
    }
    // As one that was killed leaves it: the file is there and nobody listens.
    std::filesystem::rename(path_, path_ + ".kept");
    killed.reset();
    std::filesystem::rename(path_ + ".kept", path_);
    Console next(path_, nothing_to_say);
    const auto one = connection();
    ASSERT_TRUE(one);
    say(one, "help\n");
    serve(next);
    EXPECT_EQ(heard(one), "[help]");
}

TEST_F(ConsoleTest, DoesNotTakeThePlaceOfAFile) {
    std::ofstream(path_) << "precious";
    try {
        const Console console(path_, nothing_to_say);
        ADD_FAILURE() << "a file was taken for a socket";
    } catch (const Failure& failure) {
        EXPECT_THAT(failure.what(), HasSubstr("is there already and is no socket"));
    }
    EXPECT_TRUE(std::filesystem::is_regular_file(path_));
    try {
        const Console console(folder_ + "/none/commands", nothing_to_say);
        ADD_FAILURE();
    } catch (const Failure& failure) {
        EXPECT_THAT(failure.what(), HasSubstr("No such file or directory; name a path"));
    }
}

TEST_F(ConsoleTest, TellAsksAndHearsTheWholeAnswer) {
    EXPECT_THROW((void)ask_root(path_, "leaves"), Failure);
    Console console(path_, nothing_to_say);
    answer_ = std::string(1 << 20, 'a') + "\nok: done\n";
    std::string heard;
    std::atomic<bool> told = false;
    std::thread teller([&] {
        heard = ask_root(path_, "leaves");
        told = true;
    });
    while (!told) {
        console.serve(-1, 1ms, [this](std::string_view line) {
            lines_.emplace_back(line);
            return answer_;
        });
    }
    teller.join();
    EXPECT_EQ(heard, answer_);
    EXPECT_THAT(lines_, testing::ElementsAre("leaves"));
}

TEST_F(ConsoleTest, TakesStandardInputToItsEnd) {
    const int kept = ::dup(STDIN_FILENO);
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    ASSERT_EQ(::dup2(pipe[0], STDIN_FILENO), STDIN_FILENO);
    std::string said;
    {
        Console console("-", [&](std::string_view text) { said += text; });
        ASSERT_EQ(::write(pipe[1], "leaves\nexpel", 12), 12);
        serve(console);
        EXPECT_EQ(said, "[leaves]");
        ::close(pipe[1]);
        serve(console);
        EXPECT_EQ(said, "[leaves][expel]") << "what the end cuts short is a line, too";
    }
    ::dup2(kept, STDIN_FILENO);
    ::close(kept);
    ::close(pipe[0]);
}

}  // namespace
}  // namespace joinleaf::app
