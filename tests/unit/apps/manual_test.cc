// The man page and the completion say what the table of options says.
#include <apps/joinleaf/command_line.h>
#include <apps/joinleaf/config.h>
#include <apps/joinleaf/manual.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace joinleaf::app {
namespace {

using ::testing::HasSubstr;

std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '-') out.push_back('\\');
        out.push_back(c);
    }
    return out;
}

TEST(ManPage, HasEachCommandAndEachOption) {
    CommandLine line;
    const std::string page = man_page(line.app());
    EXPECT_THAT(page, ::testing::StartsWith(".TH JOINLEAF 1"));
    for (auto* command : line.app().get_subcommands([](CLI::App*) { return true; })) {
        const auto begin = page.find(".SH COMMAND " + command->get_name());
        ASSERT_NE(begin, page.npos) << command->get_name();
        const std::string section = page.substr(begin, page.find("\n.SH ", begin) - begin);
        for (const auto* option : command->get_options()) {
            if (option->get_lnames().empty()) continue;
            EXPECT_THAT(section, HasSubstr(roff("--" + key_of(*option)) + "\\fR"));
            EXPECT_THAT(section, HasSubstr(roff(option->get_description())));
        }
    }
}

TEST(ManPage, TellsOfEachSignalAndEachExitCode) {
    CommandLine line;
    const std::string page = man_page(line.app());
    const auto section = [&](const std::string& title) {
        const auto begin = page.find(".SH " + title + "\n");
        EXPECT_NE(begin, page.npos) << title;
        return page.substr(begin, page.find("\n.SH ", begin) - begin);
    };
    const std::string signals = section("SIGNALS");
    for (const auto* name : {"SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"}) {
        EXPECT_THAT(signals, HasSubstr(std::string("\\fB") + name + "\\fR"));
    }
    const std::string status = section("EXIT STATUS");
    for (const int code : {kExitDone, kExitFailure, kExitWrongUse}) {
        EXPECT_THAT(status, HasSubstr("\n.B " + std::to_string(code) + "\n"));
    }
}

/// What bash offers for the last of these words.
std::string offered(const std::string& words) {
    CommandLine line;
    const auto file = std::filesystem::path(testing::TempDir()) / "joinleaf-completion.bash";
    std::ofstream(file) << bash_completion(line.app()) << "COMP_WORDS=(" << words << R"()
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }  # there is no completion under way
_joinleaf
echo "${COMPREPLY[@]}"
)";
    std::FILE* const shell = ::popen(("bash " + file.string()).c_str(), "r");
    std::string said;
    std::array<char, 4096> octets;
    while (std::fgets(octets.data(), octets.size(), shell) != nullptr) said += octets.data();
    EXPECT_EQ(::pclose(shell), 0);
    std::filesystem::remove(file);
    return said;
}

TEST(BashCompletion, OffersCommandsAndTheirOptions) {
    EXPECT_EQ(offered("joinleaf ''"),
              "--help --version --config --completion root leaf repair tell stat demo doctor\n");
    EXPECT_EQ(offered("joinleaf l"), "leaf\n");
    EXPECT_EQ(offered("joinleaf root --inv"), "--invite\n");
    EXPECT_EQ(offered("joinleaf leaf --inv"), "\n");
    EXPECT_EQ(offered("joinleaf root --rate ''"), "\n");
    CommandLine line;
    for (const std::string name : {"root", "leaf", "demo"}) {
        const auto all = " " + offered("joinleaf " + name + " --");
        for (const auto* option : settable_options(*line.app().get_subcommand(name))) {
            EXPECT_THAT(all, HasSubstr(" --" + key_of(*option))) << name;
        }
    }
}

TEST(BashCompletion, OffersTheWordsThatAnOptionKnows) {
    EXPECT_EQ(offered("joinleaf leaf --on-gap ''"), "skip late stop\n");
    EXPECT_EQ(offered("joinleaf leaf --start ''"), "live history\n");
    EXPECT_EQ(offered("joinleaf leaf --output-format ''"), "lengths lines pcapng\n");
    EXPECT_EQ(offered("joinleaf root --input-format l"), "lengths lines\n");
    EXPECT_EQ(offered("joinleaf root --framing ''"), "moldudp64 datagram\n");
    EXPECT_EQ(offered("joinleaf root --pace ''"), "recorded full\n");
    EXPECT_EQ(offered("joinleaf root --scheme ''"), "rooted rooted-control\n");
    EXPECT_EQ(offered("joinleaf root --fan-out r"), "replicate\n");
    EXPECT_EQ(offered("joinleaf leaf --output nul"), "null\n");
    EXPECT_EQ(offered("joinleaf --completion ''"), "bash\n");
    const auto reasons = " " + offered("joinleaf leaf --record-on ''");
    for (std::size_t i = 0; i < kDropReasonCount; ++i) {
        EXPECT_THAT(reasons, HasSubstr(" " + std::string(name(static_cast<DropReason>(i)))));
    }
}

// What completion offers, a check takes: the words are those of the error that tells them.
TEST(BashCompletion, OffersWhatIsRight) {
    const std::map<std::string, std::string> commands{
        {"--scheme", "root --listen 10.1.0.1:7000 --group 239.1.1.1:5000 --input f"},
        {"--fan-out", "root --listen 10.1.0.1:7000 --group 239.1.1.1:5000 --input f"},
        {"--framing", "root --group 239.1.1.1:5000 --input f"},
        {"--input-format", "root --framing moldudp64 --group 239.1.1.1:5000 --input f"},
        {"--pace", "root --framing moldudp64 --input-format pcap --group 239.1.1.1:5000 --input f"},
        {"--start",
         "leaf --framing moldudp64 --repair 10.1.0.1:6000 --join 239.1.1.1:5000 "
         "--output null"},
        {"--on-gap", "leaf --framing moldudp64 --join 239.1.1.1:5000 --output null"},
        {"--output-format", "leaf --framing moldudp64 --join 239.1.1.1:5000 --output null"},
        {"--record-on", "leaf --record 10 --join 239.1.1.1:5000 --output null"}};
    for (const auto& [option, command] : commands) {
        std::istringstream words(offered("joinleaf " + command + " " + option + " ''"));
        std::size_t count = 0;
        for (std::string word; words >> word; ++count) {
            const auto line = command + " --port null --address 10.0.0.1/24 " + option + " " + word;
            std::istringstream typed(line);
            const auto invocation =
                parse_command_line({std::istream_iterator<std::string>(typed), {}});
            const auto* wrong = std::get_if<Message>(&invocation);
            EXPECT_EQ(wrong, nullptr) << line << ": " << wrong->text;
        }
        EXPECT_GE(count, 2u) << option;
    }
}

TEST(BashCompletion, OffersFilesAndInterfaces) {
    const auto folder = std::filesystem::path(testing::TempDir()) / "joinleaf-completion";
    std::filesystem::create_directory(folder);
    std::ofstream(folder / "feed.bin") << "x";
    EXPECT_EQ(offered("joinleaf root --input " + (folder / "fe").string()),
              (folder / "feed.bin").string() + "\n");
    std::filesystem::remove_all(folder);
    EXPECT_EQ(offered("joinleaf leaf --port nul"), "null\n");
    EXPECT_EQ(offered("joinleaf leaf --line-port nul"), "null\n");
    EXPECT_THAT(offered("joinleaf leaf --port ''"), HasSubstr("lo"));
}

}  // namespace
}  // namespace joinleaf::app
