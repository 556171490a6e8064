// One seed: some roots and leaves, a bad time for all of them, and then quiet, in which they must
// agree, work, and in the end hold nothing.
#pragma once

#include <tests/unit/admission/simulation/leaf_process.h>
#include <tests/unit/admission/simulation/root_process.h>
#include <tests/unit/admission/simulation/stranger.h>
#include <array>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace joinleaf::controlplane::simulation {

class Simulation {
public:
    explicit Simulation(std::uint64_t seed, std::ostream* trace = nullptr);

    /// Throws Violation.
    void run();

private:
    void trouble();
    void root_does();
    void leaf_does();
    void network_does();
    void machine_does();
    void stranger_does();
    [[nodiscard]] ControlEndpoint someone_but(const Process& caller);
    [[nodiscard]] Process& any_process();

    void calm_down();
    void check_agreement() const;
    void admit_one_more(RootProcess& root);
    void expel_one(RootProcess& root);
    void close_all();

    void run_for(Duration time);
    void check() const;

    Chance chance_;
    Network network_;
    Times times_;
    std::vector<std::unique_ptr<RootProcess>> roots_;
    std::vector<std::unique_ptr<LeafProcess>> leaves_;
    std::unique_ptr<Stranger> stranger_;
    // How often what happens; most seeds have some kinds of trouble and not others.
    std::array<unsigned, 5> weights_{};
    std::function<void()> check_ = [this] { check(); };
};

/// What went wrong with `seed`; nothing if nothing did.
[[nodiscard]] std::optional<std::string> failure_of(std::uint64_t seed,
                                                    std::ostream* trace = nullptr);

}  // namespace joinleaf::controlplane::simulation
