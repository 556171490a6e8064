// Input and output of the program: chunks in, payloads out, and nothing lost silently.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/input.h>
#include <apps/joinleaf/output.h>
#include <apps/joinleaf/report.h>
#include <apps/joinleaf/signals.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace joinleaf::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A folder that goes with the test.
class Files : public testing::Test {
protected:
    Files() {
        std::string name = testing::TempDir() + "joinleaf-XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~Files() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
    [[nodiscard]] std::string with_text(const std::string& name, const std::string& text) const {
        std::ofstream(path(name)) << text;
        return path(name);
    }
    [[nodiscard]] static std::string text_in(const std::string& file) {
        std::ifstream stream(file);
        return {std::istreambuf_iterator<char>(stream), {}};
    }

private:
    std::filesystem::path folder_;
};

/// Empty buffers as a socket would give them.
class Buffers {
public:
    explicit Buffers(std::size_t count) : memory_(count), buffers_(count) {
        for (std::size_t i = 0; i < count; ++i) {
            buffers_[i] = {.data = memory_[i].data(), .capacity = kCapacity};
        }
    }
    [[nodiscard]] std::span<SendBuffer> all() { return buffers_; }
    [[nodiscard]] std::vector<std::string> texts() const {
        std::vector<std::string> texts;
        for (const auto& buffer : buffers_) {
            texts.emplace_back(reinterpret_cast<const char*>(buffer.data), buffer.length);
        }
        return texts;
    }

private:
    static constexpr std::uint32_t kCapacity = 16;
    std::vector<std::array<std::byte, kCapacity>> memory_;
    std::vector<SendBuffer> buffers_;
};

struct Pipe {
    Pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        read = Descriptor(ends[0]);
        write = Descriptor(ends[1]);
    }
    void put(std::string_view text) {
        ASSERT_EQ(::write(write.get(), text.data(), text.size()),
                  static_cast<ssize_t>(text.size()));
    }
    Descriptor read;
    Descriptor write;
};

Datagram datagram(std::string_view payload) {
    Datagram datagram;
    datagram.data_ = reinterpret_cast<const std::byte*>(payload.data());
    datagram.size_ = datagram.first_ = static_cast<std::uint32_t>(payload.size());
    return datagram;
}

template <class Action>
std::string failure_of(Action action) {
    try {
        action();
    } catch (const Failure& failure) {
        return failure.what();
    }
    return "no failure";
}

using InputFile = Files;
using OutputFile = Files;

TEST_F(InputFile, IsCutIntoChunksAndTheRest) {
    Input input = Input::open(with_text("in", "abcdefgh"));
    EXPECT_FALSE(input.may_block());
    Buffers buffers(4);
    const auto first = input.read(buffers.all(), 3);
    EXPECT_EQ(first.complete, 2u);
    EXPECT_FALSE(first.ended);
    const auto second = input.read(buffers.all().subspan(2), 3);
    EXPECT_EQ(second.complete, 1u);
    EXPECT_TRUE(second.ended);
    EXPECT_THAT(buffers.texts(), ElementsAre("abc", "def", "gh", ""));
    EXPECT_EQ(input.octets(), 8u);
}

TEST_F(InputFile, ThatIsEmptyEndsAtOnce) {
    Input input = Input::open(with_text("in", ""));
    Buffers buffers(2);
    const auto step = input.read(buffers.all(), 3);
    EXPECT_EQ(step.complete, 0u);
    EXPECT_TRUE(step.ended);
}

TEST_F(InputFile, OfWholeChunksHasNoEmptyLastOne) {
    Input input = Input::open(with_text("in", "abcdef"));
    Buffers buffers(3);
    EXPECT_EQ(input.read(buffers.all(), 3).complete, 2u);
    const auto end = input.read(buffers.all().subspan(2), 3);
    EXPECT_EQ(end.complete, 0u);
    EXPECT_TRUE(end.ended);
}

// Opening one would wait for who writes, and no signal would end that.
TEST_F(InputFile, ThatIsAPipeNobodyWritesToIsNotWaitedFor) {
    ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
    Input input = Input::open(path("pipe"));
    EXPECT_TRUE(input.may_block());
    pollfd ready{input.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ready, 1, 0), 0) << "no writer yet is not the end";
    {
        std::ofstream writer(path("pipe"));
        writer << "abc";
    }
    EXPECT_EQ(::poll(&ready, 1, 0), 1);
    Buffers buffers(2);
    EXPECT_EQ(input.read(buffers.all(), 3).complete, 1u);
    EXPECT_TRUE(input.read(buffers.all().subspan(1), 3).ended);
}

TEST(InputPipe, FillsAChunkWithWhatComesInPieces) {
    Pipe pipe;
    Input input(std::move(pipe.read), "pipe");
    EXPECT_TRUE(input.may_block());
    Buffers buffers(2);
    pipe.put("ab");
    EXPECT_EQ(input.read(buffers.all(), 4).complete, 0u);
    pipe.put("cde");
    EXPECT_EQ(input.read(buffers.all(), 4).complete, 1u);
    pipe.write.close();
    const auto end = input.read(buffers.all().subspan(1), 4);
    EXPECT_EQ(end.complete, 1u);
    EXPECT_TRUE(end.ended);
    EXPECT_THAT(buffers.texts(), ElementsAre("abcd", "e"));
}

TEST_F(InputFile, ThatCannotBeReadIsNamed) {
    EXPECT_EQ(failure_of([&] { (void)Input::open(path("none")); }),
              "cannot read " + path("none") +
                  ": No such file or directory; name a readable file with --input, or - for "
                  "standard input");
    EXPECT_THAT(failure_of([&] { (void)Input::open(path(".")); }), HasSubstr("is a directory"));
}

TEST_F(OutputFile, HoldsThePayloadsInOrder) {
    Output output = Output::open(path("out"));
    output.append(datagram("one "));
    output.append(datagram("two"));
    EXPECT_EQ(output.waiting(), 7u);
    EXPECT_EQ(text_in(path("out")), "");
    output.flush();
    EXPECT_EQ(text_in(path("out")), "one two");
    output.append(datagram(" three"));
    output.close();
    EXPECT_EQ(text_in(path("out")), "one two three");
    EXPECT_EQ(output.written(), 13u);
}

TEST_F(OutputFile, TakesMoreThanItCollects) {
    const std::string payload(60'000, 'x');
    Output output = Output::open(path("out"));
    for (int i = 0; i < 100; ++i) output.append(datagram(payload));
    output.close();
    EXPECT_EQ(std::filesystem::file_size(path("out")), 6'000'000u);
}

TEST_F(OutputFile, ReplacesWhatWasThere) {
    Output output = Output::open(with_text("out", "old and long"));
    output.append(datagram("new"));
    output.close();
    EXPECT_EQ(text_in(path("out")), "new");
}

TEST(OutputNull, TakesEverythingAndKeepsNothing) {
    Output output = Output::open("null");
    output.append(datagram("gone"));
    output.close();
    EXPECT_EQ(output.written(), 0u);
}

TEST_F(OutputFile, IsCheckedWithoutBeingTouched) {
    Output::check(with_text("out", "precious"));
    EXPECT_EQ(text_in(path("out")), "precious");
    Output::check(path("new"));
    EXPECT_FALSE(std::filesystem::exists(path("new")));
    Output::check("-");
    Output::check("null");
    EXPECT_THAT(failure_of([&] { Output::check(path("no/such/out")); }),
                HasSubstr("cannot write " + path("no/such/out") + ": No such file or directory"));
    EXPECT_THAT(failure_of([&] { Output::check(path(".")); }), HasSubstr("is a directory"));
}

TEST(OutputPipe, TakesMoreThanThePipeHoldsWhileSomebodyReads) {
    Pipe pipe;
    const int read_end = pipe.read.get();
    std::size_t read = 0;
    std::thread reader([&] {
        std::array<char, 4096> part;
        for (ssize_t got = 1; got > 0; read += static_cast<std::size_t>(got)) {
            got = ::read(read_end, part.data(), part.size());
            if (got < 0) break;
        }
    });
    Output output(std::move(pipe.write), "pipe");
    const std::string payload(50'000, 'x');
    for (int i = 0; i < 50; ++i) output.append(datagram(payload));
    output.close();
    reader.join();
    EXPECT_EQ(read, 2'500'000u);
}

TEST(OutputPipe, IsGivenUpWhenNobodyReadsAndTheEndIsAskedFor) {
    Pipe pipe;
    Pipe stop;
    stop.put("!");
    Output output(std::move(pipe.write), "pipe");
    output.stop_waiting_on(stop.read.get());
    const std::string payload(60'000, 'x');
    const auto failure = failure_of([&] {
        for (int i = 0; i < 50; ++i) output.append(datagram(payload));
    });
    EXPECT_THAT(failure, HasSubstr("pipe is not read; 65536 octets were written"));
}

TEST(OutputFullDisk, IsAnErrorThatTellsWhatWasWritten) {
    Output output = Output::open("/dev/full");
    output.append(datagram("lost?"));
    EXPECT_EQ(failure_of([&] { output.close(); }),
              "cannot write /dev/full: No space left on device; 0 octets were written; make room, "
              "or name another file with --output");
}

/// Runs `body` in a process of its own; returns how it exited.
template <class Body>
int in_a_process(Body body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool is_readable(int fd) {
    pollfd ready{fd, POLLIN, 0};
    return ::poll(&ready, 1, 0) == 1;
}

TEST(Signals, AskForTheEndAndStaySeen) {
    EXPECT_EQ(in_a_process([] {
                  Signals signals;
                  if (signals.asked_to_stop() || is_readable(signals.fd())) return 1;
                  ::kill(::getpid(), SIGTERM);
                  if (!is_readable(signals.fd())) return 2;
                  if (signals.asked_to_stop() != "SIGTERM") return 3;
                  return is_readable(signals.fd()) && signals.asked_to_stop() ? 0 : 4;
              }),
              0);
}

TEST(Signals, TheSecondTimeEndTheProgram) {
    EXPECT_EQ(in_a_process([] {
                  Signals signals;
                  ::kill(::getpid(), SIGINT);
                  if (signals.asked_to_stop() != "SIGINT") return 1;
                  ::kill(::getpid(), SIGINT);
                  return 2;
              }),
              -SIGINT);
}

TEST(Signals, AHangupAsksToReadAgainAndEndsNothing) {
    EXPECT_EQ(in_a_process([] {
                  Signals signals(Signals::Hangup::reloads);
                  if (signals.asked_to_reload()) return 1;
                  ::kill(::getpid(), SIGHUP);
                  if (!is_readable(signals.hangup_fd()) || is_readable(signals.fd())) return 2;
                  if (!signals.asked_to_reload() || signals.asked_to_reload()) return 3;
                  return signals.asked_to_stop() ? 4 : 0;
              }),
              0);
}

/// The exit code of a process on a terminal of its own, which is closed when it is `ready`.
template <class Body>
int on_a_terminal_that_goes(Body body) {
    int terminal = -1;
    const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    if (child == 0) {
        std::signal(SIGHUP, SIG_DFL);  // whoever runs the tests may have them ignore it
        ::_exit(body([] { (void)!::write(STDOUT_FILENO, "!", 1); }));
    }
    char ready = 0;
    EXPECT_EQ(::read(terminal, &ready, 1), 1);
    ::close(terminal);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool hears_hangup(const Signals& signals) {
    pollfd hangup{signals.hangup_fd(), POLLIN, 0};
    return ::poll(&hangup, 1, 10'000) == 1;
}

TEST(Signals, AHangupOfTheTerminalAsksForTheEnd) {
    EXPECT_EQ(on_a_terminal_that_goes([](auto ready) {
                  Signals signals(Signals::Hangup::reloads);
                  ready();
                  if (!hears_hangup(signals) || signals.asked_to_reload()) return 1;
                  return signals.asked_to_stop() == "SIGHUP" && is_readable(signals.fd()) ? 0 : 2;
              }),
              0);
}

TEST(Signals, WhoIsToOutliveTheTerminalDoes) {
    EXPECT_EQ(on_a_terminal_that_goes([](auto ready) {
                  std::signal(SIGHUP, SIG_IGN);  // as nohup(1) has it
                  Signals signals(Signals::Hangup::reloads);
                  ready();
                  if (!hears_hangup(signals) || !signals.asked_to_reload()) return 1;
                  return signals.asked_to_stop() ? 2 : 0;
              }),
              0);
}

TEST(Reporters, OfATerminalThatHasGoneDoNotThrow) {
    EXPECT_EQ(on_a_terminal_that_goes([](auto ready) {
                  Signals signals(Signals::Hangup::reloads);
                  Reporter report({.command = "joinleaf leaf", .json = false, .prefix = ""});
                  ready();
                  if (!hears_hangup(signals)) return 1;
                  report.text("it goes on");
                  report.error("something is wrong");
                  return 0;
              }),
              0);
}

std::string complaint(const AdmissionOptions& options, bool connects) {
    try {
        check_files(options, connects);
        return "";
    } catch (const Failure& failure) {
        return failure.what();
    }
}

TEST_F(Files, OfAdmissionAreReadBeforeAnythingStarts) {
    const std::string key(64, 'a');
    AdmissionOptions options;
    EXPECT_EQ(complaint(options, true), "");
    options.tls.psk = with_text("one.psk", "desk-7:" + key + "\n");
    EXPECT_EQ(complaint(options, true), "");
    options.tls.psk = with_text("two.psk", "desk-7:" + key + "\ndesk-8:" + key + "\n");
    EXPECT_EQ(complaint(options, false), "");
    EXPECT_EQ(
        complaint(options, true),
        options.tls.psk + " holds several keys; say which to show, as in --tls-identity NAME");
    options.tls.psk_identity = "desk-8";
    EXPECT_EQ(complaint(options, true), "");
    options.policy = with_text("policy.toml", "default = \"perhaps\"\n");
    EXPECT_THAT(complaint(options, false), HasSubstr("policy.toml:1"));
    options.tls.psk = path("missing.psk");
    EXPECT_THAT(complaint(options, false), HasSubstr("missing.psk"));
}

TEST_F(Files, OfAdmissionThatAreDirectoriesAreNamedWithTheCure) {
    const std::string folder = path(".");
    const std::string wanted = folder + ": Is a directory; name a text file";
    AdmissionOptions policy;
    policy.policy = folder;
    EXPECT_EQ(complaint(policy, false), wanted);
    AdmissionOptions keys;
    keys.tls.psk = folder;
    EXPECT_EQ(complaint(keys, false), wanted);
    AdmissionOptions certificates;
    certificates.tls.certificate = folder;
    certificates.tls.key = certificates.tls.ca = with_text("one.pem", "");
    EXPECT_EQ(complaint(certificates, false), wanted);
}

TEST_F(Files, ThatNeverEndAreNotReadWhole) {
    AdmissionOptions options;
    options.policy = "/dev/zero";
    EXPECT_EQ(complaint(options, false), "/dev/zero: File too large; name a text file");
}

}  // namespace
}  // namespace joinleaf::app
