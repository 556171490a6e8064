// What may be written in the file of --config, and the lines that answer what may not.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/command_line.h>
#include <apps/joinleaf/config.h>
#include <apps/joinleaf/reload.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace joinleaf::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A file for one test.
class ConfigFile : public ::testing::Test {
protected:
    const std::string file_ = ::testing::TempDir() + "joinleaf-config-" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name() +
                              ".toml";

    void TearDown() override { std::remove(file_.c_str()); }

    void write(const std::string& text) const { std::ofstream(file_) << text; }

    [[nodiscard]] Invocation typed(const std::string& line) const {
        std::istringstream words(line + " --config " + file_);
        return parse_command_line({std::istream_iterator<std::string>(words), {}});
    }

    template <class Options>
    [[nodiscard]] Options accepted(const std::string& line) const {
        auto invocation = typed(line);
        if (const auto* message = std::get_if<Message>(&invocation)) {
            throw std::runtime_error(line + " was refused: " + message->text);
        }
        return std::get<Options>(invocation);
    }

    /// The lines that answer, with FILE for the file's name.
    [[nodiscard]] std::vector<std::string> refused(const std::string& line) const {
        const auto invocation = typed(line);
        const auto* message = std::get_if<Message>(&invocation);
        if (message == nullptr) return {"accepted"};
        EXPECT_EQ(message->exit_code, kExitWrongUse);
        std::istringstream said(message->text);
        std::vector<std::string> lines;
        for (std::string one; std::getline(said, one);) {
            for (auto at = one.find(file_); at != one.npos; at = one.find(file_)) {
                one.replace(at, file_.size(), "FILE");
            }
            lines.push_back(one);
        }
        return lines;
    }

    [[nodiscard]] std::string printed(const std::string& line) const {
        const auto invocation = typed(line + " --print-config");
        const auto& message = std::get<Message>(invocation);
        EXPECT_EQ(message.exit_code, kExitDone) << message.text;
        return message.text;
    }
};

constexpr auto kLeaf = R"(port = "null"
address = "10.0.0.2/24"
join = ["239.1.1.1:5000", "239.1.1.2:5001"]
source = "10.0.0.9"
output = "null"
mtu = 9_000
vlan = 100.20
duration = 1.50
quiet = true
)";

TEST_F(ConfigFile, HoldsWhatCanBeTyped) {
    write(kLeaf);
    const auto leaf = accepted<LeafOptions>("leaf");
    EXPECT_EQ(leaf.port.port, "null");
    EXPECT_EQ(leaf.groups.size(), 2u);
    EXPECT_EQ(leaf.sources.to_string(), "IN{10.0.0.9}");
    EXPECT_EQ(leaf.port.mtu, 9000);
    EXPECT_EQ(leaf.port.vlan, "100.20");
    EXPECT_EQ(leaf.duration, std::chrono::milliseconds(1500));
    EXPECT_TRUE(leaf.common.quiet);
    EXPECT_FALSE(leaf.common.json);
}

// A list that is typed replaces the file's, and is not added to it.
TEST_F(ConfigFile, GivesWayToWhatIsTyped) {
    write(kLeaf);
    const auto leaf =
        accepted<LeafOptions>("leaf --mtu 1400 --join 239.7.7.7:7 --quiet=false --json");
    EXPECT_EQ(leaf.port.mtu, 1400);
    ASSERT_EQ(leaf.groups.size(), 1u);
    EXPECT_EQ(leaf.groups[0].to_string(), "239.7.7.7:7");
    EXPECT_FALSE(leaf.common.quiet);
    EXPECT_TRUE(leaf.common.json);
}

TEST_F(ConfigFile, MayNameTheCommand) {
    write(std::string("command = \"leaf\"\n") + kLeaf);
    EXPECT_EQ(std::get<LeafOptions>(parse_command_line({"--config", file_})).port.mtu, 9000);
    EXPECT_EQ(
        std::get<LeafOptions>(parse_command_line({"--config=" + file_, "--mtu", "1400"})).port.mtu,
        1400);
    EXPECT_THAT(refused("root"),
                ElementsAre(HasSubstr("FILE:1:11: command: this is read by `joinleaf root`"),
                            HasSubstr("1 error")));

    write(kLeaf);
    EXPECT_EQ(std::get<Message>(parse_command_line({"--config", file_})).text,
              file_ +
                  ":1:1: command is missing; add command = \"leaf\" or \"root\", or type it "
                  "before --config");
}

TEST_F(ConfigFile, IsToldAllThatIsWrongWithItAtOnce) {
    write(R"(command = "leaf"
port = "null"
adress = "10.0.0.2/24"
mtu = 67
join = ["239.1.1.1:5000", "10.1.1.1:5"]
json = "yes"
queues = [1]
rate = 10
zebra = 1

[tls]
psk = "keys.psk"
)");
    EXPECT_THAT(
        refused("leaf --count 0"),
        ElementsAre(
            "joinleaf leaf: --count: '0' will not do; use a whole number from 1 up",
            "FILE:1:1: --output is missing; add it, as in --output copy.bin (or - or null)",
            "FILE:3:1: adress: there is no such key; did you mean address?",
            "FILE:4:7: mtu: '67' will not do; use a whole number from 68 to 65535",
            "FILE:5:27: join: 10.1.1.1 is not a multicast group; use one from 224.0.0.0 to "
            "239.255.255.255",
            "FILE:6:8: json: this is switched; write json = true, or false",
            "FILE:7:10: queues: should be one text or number, as in queues = \"...\"",
            "FILE:8:8: --rate is for what is sent; add --send FILE",
            "FILE:9:1: zebra: there is no such key; `joinleaf leaf --help` lists them, each with "
            "two dashes in front",
            "FILE:11:2: tls: there are no sections; write its keys before the first line in "
            "brackets, and leave that out",
            "joinleaf leaf: 10 errors with --config FILE; `joinleaf leaf --help` tells more"));
}

TEST_F(ConfigFile, MustBeToml) {
    write("port = \"null\"\nport = \"again\"\n");
    EXPECT_THAT(refused("leaf"), ElementsAre(HasSubstr("FILE:2:"), HasSubstr("1 error with")));
    write("port = null\n");
    EXPECT_THAT(refused("leaf"), ElementsAre(HasSubstr("FILE:1:"), HasSubstr("1 error with")));
}

TEST_F(ConfigFile, MustBeThere) {
    EXPECT_THAT(refused("leaf"),
                ElementsAre("FILE: No such file or directory; check the path and that this user "
                            "may read it",
                            HasSubstr("1 error with")));
}

TEST(Reload, ItsReasonsDoNotNameTheCommandTwice) {
    const Failure why("leaf.toml:3:7: mtu: no\njoinleaf leaf: 1 error with --config leaf.toml");
    EXPECT_THAT(reasons_in(why, "joinleaf leaf"),
                ElementsAre("leaf.toml:3:7: mtu: no", "1 error with --config leaf.toml"));
}

TEST(Reload, IsOfNoUseWhereNothingWasRead) {
    Settings settings;
    EXPECT_FALSE(can_read_again(settings, nullptr));
    AdmissionOptions admission;
    EXPECT_FALSE(can_read_again(settings, &admission));
    admission.policy = "policy.toml";
    EXPECT_TRUE(can_read_again(settings, &admission));
    admission.policy.clear();
    admission.tls.psk = "keys";
    EXPECT_TRUE(can_read_again(settings, &admission));
    settings.file = "leaf.toml";
    EXPECT_TRUE(can_read_again(settings, nullptr));
}

TEST(Reload, AnotherPolicyIsReadInThePlaceOfOneAndNotInThePlaceOfNone) {
    AdmissionOptions before;
    AdmissionOptions after;
    after.policy = "new.toml";
    EXPECT_THAT(live_files(before, after), IsEmpty());
    EXPECT_EQ(with_live_files(before, after).policy, "");
    before.policy = "old.toml";
    EXPECT_THAT(live_files(before, after), ElementsAre("policy"));
    EXPECT_EQ(with_live_files(before, after).policy, "new.toml");
    after.policy.clear();
    EXPECT_EQ(with_live_files(before, after).policy, "old.toml");

    before.tls.psk = "old.psk";
    after.tls.psk = "new.psk";
    EXPECT_THAT(live_files(before, after), ::testing::Contains("tls-psk"));
    EXPECT_EQ(with_live_files(before, after).tls.psk, "new.psk");
}

TEST_F(ConfigFile, IsCheckedTogetherWithTheFilesThatItNames) {
    write(R"(port = "null"
address = "10.0.0.1/24"
group = "239.1.1.1:5000"
input = "-"
listen = "127.0.0.1:7000"
policy = "/nonexistent/policy.toml"
tls-psk = "/nonexistent/keys"
state = "/nonexistent/root.state"
queues = 1024
mtu = 60
)");
    EXPECT_THAT(
        refused("root"),
        ElementsAre("FILE:6:10: policy: /nonexistent/policy.toml: No such file or directory; check "
                    "the path and that this user may read it",
                    "FILE:7:11: tls-psk: /nonexistent/keys: No such file or directory; check the "
                    "path and that this user may read it",
                    "FILE:8:9: state: cannot write /nonexistent/root.state: No such file or "
                    "directory; name another file with --state",
                    ::testing::StartsWith("FILE:9:10: queues: 1024 workers need as many CPUs"),
                    "FILE:10:7: mtu: '60' will not do; use a whole number from 68 to 65535",
                    HasSubstr("5 errors with")));
    EXPECT_THAT(printed("root --mtu 1500"), HasSubstr("/nonexistent/keys"))
        << "what is only printed may be for another host";
}

TEST(ConfigFiles, ThatAreDirectoriesAreNamedWithTheCure) {
    for (const auto& words : {std::vector<std::string>{"--config", "/tmp"},
                              std::vector<std::string>{"leaf", "--config", "/tmp"}}) {
        const auto invocation = parse_command_line(words);
        const auto& message = std::get<Message>(invocation);
        EXPECT_EQ(message.exit_code, kExitWrongUse);
        EXPECT_THAT(message.text, ::testing::StartsWith("/tmp: Is a directory; name a text file"));
    }
}

TEST_F(ConfigFile, CannotNameAnotherOrPrintItself) {
    write(std::string("config = \"other.toml\"\nprint-config = true\n") + kLeaf);
    EXPECT_THAT(refused("leaf"),
                ElementsAre("FILE:1:1: config: this is for the command line alone, as --config",
                            "FILE:2:1: print-config: this is for the command line alone, as "
                            "--print-config",
                            HasSubstr("2 errors")));
}

// Whoever adds an option to the table has it in the file.
TEST_F(ConfigFile, MayHoldEachOptionOfTheTable) {
    for (const std::string name : {"root", "leaf", "demo"}) {
        CommandLine line;
        CLI::App& command = *line.app().get_subcommand(name);
        for (const auto* option : command.get_options()) {
            const auto names = option->get_lnames();
            if (names.empty()) continue;
            const auto& key = names.front();
            write(fmt::format("{} = {}\n", key,
                              is_flag(*option)   ? "true"
                              : is_list(*option) ? "[\"1\", \"2\"]"
                                                 : "\"1\""));
            CommandLine fresh;
            CLI::App& target = *fresh.app().get_subcommand(name);
            Settings settings;
            const auto errors = read_config(file_, target, settings);
            if (key == "help" || key == "config" || key == "print-config") {
                EXPECT_EQ(errors.all.size(), 1u) << key;
                continue;
            }
            EXPECT_THAT(errors.all, IsEmpty()) << key << ": " << errors.all.at(0).what;
            EXPECT_EQ(settings.given.count(key), 1u) << key;
            EXPECT_EQ(target.get_option("--" + key)->count(), is_list(*option) ? 2u : 1u) << key;
        }
    }
}

TEST_F(ConfigFile, IsPrintedWithWhereEachValueCameFrom) {
    write(kLeaf);
    const auto text = printed("leaf --mtu 1400");
    EXPECT_THAT(text, HasSubstr("command = \"leaf\"\n"));
    EXPECT_THAT(text, ::testing::ContainsRegex("\nmtu = 1400 +# flag\n"));
    EXPECT_THAT(text, ::testing::ContainsRegex("\nquiet = true +# .*:9:9\n"));
    EXPECT_THAT(text, ::testing::ContainsRegex("\n# queues = 1 +# default\n"));
    EXPECT_THAT(text, ::testing::ContainsRegex("\n# gateway = +# not given: router"));
}

/// What is printed, without the remarks.
std::vector<std::string> values_of(const std::string& text) {
    std::istringstream lines(text);
    std::vector<std::string> values;
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line.front() != '#') values.push_back(line.substr(0, line.find("  ")));
    }
    return values;
}

TEST_F(ConfigFile, ThatWasPrintedGivesTheSame) {
    write(std::string(kLeaf) + R"(eal = "--log-level \"a b\\\u0001\"")" + "\n");
    const auto once = printed("leaf --cpu 3 --json");
    write(once);
    EXPECT_THAT(values_of(printed("leaf")), ::testing::ElementsAreArray(values_of(once)));
    EXPECT_THAT(values_of(once), ::testing::Contains(R"(eal = "--log-level \"a b\\\u0001\"")"));
}

// A default that is written out means what leaving it out means.
TEST_F(ConfigFile, IsToldTheDefaultsThatHold) {
    write("");
    for (const std::string line :
         {"root --port null --address 10.0.0.1/24 --group 239.1.1.1:5000 --input - --listen "
          "127.0.0.1:7000",
          "leaf --port null --address 10.0.0.1/24 --join 239.1.1.1:5000 --output null --send f"}) {
        auto said = printed(line);
        std::istringstream lines(said);
        std::string all;
        for (std::string one; std::getline(lines, one);) {
            const bool is_default = one.ends_with("# default");
            all += (is_default ? one.substr(2) : one) + "\n";
        }
        const auto bare = typed(line);
        write(all);
        const auto full = typed(line.substr(0, 4));
        ASSERT_EQ(bare.index(), full.index()) << std::get<Message>(full).text;
        if (const auto* root = std::get_if<RootOptions>(&bare)) {
            const auto& other = std::get<RootOptions>(full);
            EXPECT_EQ(root->scope, other.scope);
            EXPECT_EQ(root->linger, other.linger);
            EXPECT_EQ(root->port.mtu, other.port.mtu);
            EXPECT_EQ(root->port.queues, other.port.queues);
            EXPECT_EQ(root->common.idle_sleep, other.common.idle_sleep);
            EXPECT_EQ(root->admission->options.dead_after, other.admission->options.dead_after);
            EXPECT_EQ(root->admission->scheme, other.admission->scheme);
            EXPECT_EQ(root->admission->options.session.fan_out,
                      other.admission->options.session.fan_out);
        } else {
            const auto& leaf = std::get<LeafOptions>(bare);
            const auto& other = std::get<LeafOptions>(full);
            EXPECT_EQ(leaf.scope, other.scope);
            EXPECT_EQ(leaf.port.robustness, other.port.robustness);
            EXPECT_EQ(leaf.port.minimum_igmp_version, other.port.minimum_igmp_version);
        }
        write("");
    }
}

// What needs a restart is told at each reload until there is one.
TEST(Reload, TakesOverWhatCanChange) {
    Settings running{
        .given = {{"rate", {{"10"}, {}}}, {"mtu", {{"1500"}, {}}}, {"json", {{"true"}, {}}}}};
    const Settings fresh{
        .given = {{"rate", {{"20"}, {}}}, {"mtu", {{"9000"}, {}}}, {"invite", {{"a", "b"}, {}}}}};
    const auto change = take_over(running, fresh, {"rate", "invite"});
    EXPECT_THAT(change.applied, ElementsAre("invite", "rate"));
    EXPECT_THAT(change.waiting, ElementsAre("json", "mtu"));
    EXPECT_TRUE(change.has("rate"));
    EXPECT_FALSE(change.has("mtu"));
    EXPECT_EQ(change.text(), "in force now: invite, rate; as before until a restart: json, mtu");

    const auto again = take_over(running, fresh, {"rate", "invite"});
    EXPECT_THAT(again.applied, IsEmpty());
    EXPECT_THAT(again.waiting, ElementsAre("json", "mtu"));
    EXPECT_EQ(take_over(running, running, {}).text(),
              "no key that can change while it runs has changed");
}

}  // namespace
}  // namespace joinleaf::app
