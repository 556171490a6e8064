// The simulation over many seeds: --seeds=N runs seeds 1 to N (10 000 unless told), --first=S
// starts elsewhere, --seed=S replays one and prints all that happens in it.
#include <gtest/gtest.h>

#include <charconv>
#include <cstdint>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/unit/admission/simulation/simulation.h"

namespace joinleaf::controlplane::simulation {
namespace {

struct {
    std::uint64_t first = 1;
    std::uint64_t seeds = 10'000;
    std::optional<std::uint64_t> replay;
} what_to_run;

std::string last_lines(const std::string& text, std::size_t lines) {
    std::size_t from = text.size();
    for (; lines > 0 && from != std::string::npos && from > 0; --lines) {
        from = text.rfind('\n', from - 1);
    }
    return from == std::string::npos ? text : text.substr(from + 1);
}

// M4, M11, M12, M17, M19, M25: all that Simulation demands, at every moment of every seed.
TEST(Simulation, HoldsForEverySeed) {
    if (what_to_run.replay) {
        EXPECT_EQ(failure_of(*what_to_run.replay, &std::cout), std::nullopt);
        return;
    }
    for (std::uint64_t i = 0; i < what_to_run.seeds; ++i) {
        const std::uint64_t seed = what_to_run.first + i;
        const std::optional<std::string> failure = failure_of(seed);
        if (!failure) continue;
        std::ostringstream trace;
        const bool is_same = failure_of(seed, &trace) == failure;
        FAIL() << "seed " << seed << ": " << *failure << "\nreplay with --seed=" << seed
               << (is_same ? "" : " (which ends differently: the simulation is not deterministic)")
               << "\n"
               << last_lines(trace.str(), 60);
    }
}

TEST(Simulation, IsTheSameForTheSameSeed) {
    const auto trace_of = [](std::uint64_t seed) {
        std::ostringstream trace;
        EXPECT_EQ(failure_of(seed, &trace), std::nullopt);
        return trace.str();
    };
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const std::string once = trace_of(seed);
        EXPECT_EQ(once, trace_of(seed));
        EXPECT_NE(once, trace_of(seed + 1));
    }
}

// Trouble that no seed meets would prove nothing.
TEST(Simulation, MeetsEverything) {
    std::ostringstream trace;
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
        EXPECT_EQ(failure_of(seed, &trace), std::nullopt);
    }
    const std::string all = trace.str();
    for (const char* what : {"freezes",
                             "thaws",
                             "is killed",
                             "loses power",
                             "starts again",
                             "has its clock jump",
                             "loses its data link",
                             "cancels its invitation",
                             "listens no more",
                             "expels",
                             "network    loses",
                             "network    stalls",
                             "accept: connection_reset",
                             "accept: permission_denied",
                             "invited ok",
                             "invited connection_refused",
                             "invited connection_reset",
                             "invited network_down",
                             "invited network_unreachable",
                             "invited operation_canceled",
                             "invited timed_out",
                             "invited protocol_error",
                             "closed ok",
                             "closed connection_aborted",
                             "closed connection_reset",
                             "closed network_down",
                             "closed timed_out",
                             "joined ok",
                             "joined connection_aborted",
                             "joined connection_refused",
                             "joined connection_reset",
                             "joined network_down",
                             "joined network_unreachable",
                             "joined operation_canceled",
                             "joined timed_out",
                             "Refuse message_size",
                             "Refuse protocol_error",
                             "Farewell protocol_error",
                             "history begins",
                             "root said",
                             "said \"psst\""}) {
        EXPECT_NE(all.find(what), std::string::npos) << what;
    }
}

bool take(std::string_view argument, std::string_view option, std::uint64_t& value) {
    if (!argument.starts_with(option)) return false;
    argument.remove_prefix(option.size());
    const auto [end, error] =
        std::from_chars(argument.data(), argument.data() + argument.size(), value);
    return error == std::errc{} && end == argument.data() + argument.size();
}

}  // namespace
}  // namespace joinleaf::controlplane::simulation

int main(int argc, char** argv) {
    using namespace joinleaf::controlplane::simulation;
    testing::InitGoogleTest(&argc, argv);
    for (int i = 1; i < argc; ++i) {
        std::uint64_t seed = 0;
        if (take(argv[i], "--seed=", seed)) {
            what_to_run.replay = seed;
        } else if (!take(argv[i], "--seeds=", what_to_run.seeds) &&
                   !take(argv[i], "--first=", what_to_run.first)) {
            std::cerr << argv[i] << ": not --seeds=N, --first=SEED or --seed=SEED\n";
            return 2;
        }
    }
    return RUN_ALL_TESTS();
}
