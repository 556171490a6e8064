#include "tests/unit/admission/simulation/simulation.h"

#include <fmt/format.h>

#include <numeric>

namespace joinleaf::controlplane::simulation {
namespace {

constexpr Duration kLongestStall = 5s;

Verdict verdict(Chance& chance, unsigned accepts) {
    if (chance.percent(accepts)) return Verdict::accept;
    return chance.percent(50) ? Verdict::reject : Verdict::defer;
}

}  // namespace

Simulation::Simulation(std::uint64_t seed, std::ostream* trace)
    : chance_(seed), network_(chance_, trace) {
    times_.dead_after = chance_.one_of({300ms, 1000ms, 3000ms});
    times_.answer_within = chance_.one_of<Duration>({2s, 10s});
    times_.confirm_within = chance_.one_of<Duration>({1s, 5s});
    times_.request_within = chance_.one_of<Duration>({500ms, 2s});
    const auto address = [](std::uint8_t net, std::size_t host) {
        return Ipv4Address(10, net, 0, static_cast<std::uint8_t>(host));
    };
    const auto machine = [this](std::string name, Ipv4Address at) {
        return Machine{network_, chance_, std::move(name), ControlEndpoint{at}};
    };
    for (std::size_t i = 1, n = 1 + chance_.below(2); i <= n; ++i) {
        roots_.push_back(std::make_unique<RootProcess>(
            machine(fmt::format("root {}", i), address(1, i)), address(2, i), times_));
        if (chance_.percent(95)) roots_.back()->listen(1 + chance_.below(4));
    }
    for (std::size_t i = 1, n = 1 + chance_.below(5); i <= n; ++i) {
        leaves_.push_back(std::make_unique<LeafProcess>(
            machine(fmt::format("leaf {}", i), address(3, i)), address(4, i), times_));
        if (chance_.percent(70)) leaves_.back()->listen(1 + chance_.below(3));
        leaves_.back()->open();
    }
    stranger_ = std::make_unique<Stranger>(machine("stranger", address(5, 1)), times_);
    for (unsigned& weight : weights_) weight = chance_.one_of({0U, 1U, 5U});
    weights_[0] = weights_[1] = 10;
}

void Simulation::run() {
    for (std::size_t steps = 20 + chance_.below(250); steps > 0; --steps) {
        run_for(chance_.percent(60) ? chance_.between(0s, 50ms) : chance_.between(0s, 1s));
        trouble();
        check();
    }
    calm_down();
    check_agreement();
    for (const auto& root : roots_) admit_one_more(*root);
    check_agreement();
    for (const auto& root : roots_) expel_one(*root);
    close_all();
}

// ---- A bad time ----

void Simulation::trouble() {
    const unsigned total = std::accumulate(weights_.begin(), weights_.end(), 0U);
    unsigned which = static_cast<unsigned>(chance_.below(total));
    std::size_t kind = 0;
    while (which >= weights_[kind]) which -= weights_[kind++];
    switch (kind) {
        case 0:
            return root_does();
        case 1:
            return leaf_does();
        case 2:
            return network_does();
        case 3:
            return machine_does();
        default:
            return stranger_does();
    }
}

void Simulation::root_does() {
    RootProcess& root = *chance_.of(roots_);
    std::vector<LeafId> leaves = root.leaves();
    switch (chance_.below(20)) {
        case 0:
            return root.listen(1 + chance_.below(4));
        case 1:
            return chance_.percent(20) ? root.close() : void();
        case 2:
            return root.cancel_invite();
        case 3:
            return leaves.empty() || chance_.percent(50) ? void() : root.expel(chance_.of(leaves));
        case 4:
        case 5:
            if (leaves.empty()) return;
            if (chance_.percent(50)) return root.tell_history(chance_.of(leaves));
            return root.say(chance_.of(leaves));
        case 6:
        case 7:
        case 8:
        case 9:
            return root.invite(chance_.percent(95) ? chance_.of(leaves_)->endpoint
                                                   : someone_but(root));
        case 10:
        case 11:
        case 12:
            return root.accept_slowly(verdict(chance_, 80));
        default:
            root.accept(verdict(chance_, 80));
    }
}

void Simulation::leaf_does() {
    LeafProcess& leaf = *chance_.of(leaves_);
    if (leaf.sockets().empty() || (leaf.sockets().size() < 4 && chance_.percent(10))) {
        leaf.open();
        return;
    }
    LeafProcess::Socket& socket = *chance_.of(leaf.sockets());
    switch (chance_.below(20)) {
        case 0:
            return leaf.listen(1 + chance_.below(3));
        case 1:
            return chance_.percent(30) ? leaf.close_listener() : void();
        case 2:
            return chance_.percent(60) ? leaf.close(socket) : void();
        case 3:
            return chance_.percent(30) ? leaf.link_down(socket) : void();
        case 4:
        case 5:
            return leaf.say(socket);
        case 6:
        case 7:
        case 8:
        case 9:
        case 10:
        case 11:
            leaf.accept(verdict(chance_, 80));
            return;
        default:
            leaf.request(socket,
                         chance_.percent(95) ? chance_.of(roots_)->endpoint : someone_but(leaf));
    }
}

void Simulation::network_does() {
    if (network_.connections().empty()) return;
    auto at = network_.connections().begin();
    std::advance(at, static_cast<std::ptrdiff_t>(chance_.below(network_.connections().size())));
    const ConnectionId id = at->first;
    if (chance_.percent(40)) return network_.lose(id);
    const Duration time =
        chance_.percent(50) ? chance_.between(0s, 500ms) : chance_.between(0s, kLongestStall);
    const bool both = chance_.percent(50);
    const std::size_t side = chance_.below(2);
    network_.stall(id, side, time);
    if (both) network_.stall(id, 1 - side, time);
}

Process& Simulation::any_process() {
    const std::size_t which = chance_.below(roots_.size() + leaves_.size());
    if (which < roots_.size()) return *roots_[which];
    return *leaves_[which - roots_.size()];
}

void Simulation::machine_does() {
    Process& process = any_process();
    switch (chance_.below(6)) {
        case 0:
            return process.crash(chance_.percent(40));
        case 1:
        case 2:
            return process.is_alive ? void() : process.restart();
        case 3:
            return process.jump(chance_.percent(50) ? chance_.between(0s, 2s)
                                                    : chance_.between(0s, 5h));
        case 4:
            if (!chance_.percent(20)) return;
            for (const auto& root : roots_) root->jump(1h);
            for (const auto& leaf : leaves_) leaf->jump(1h);
            return;
        default:
            return process.freeze(chance_.percent(50) ? chance_.between(0s, 500ms)
                                                      : chance_.between(0s, 10s));
    }
}

// Anybody but oneself: an end of a connection is known by its process.
ControlEndpoint Simulation::someone_but(const Process& caller) {
    const Process& process = any_process();
    return &process == &caller ? stranger_->endpoint : process.endpoint;
}

void Simulation::stranger_does() {
    if (chance_.percent(25)) return stranger_->dial(any_process().endpoint);
    stranger_->say_something();
}

// ---- Quiet ----

// Nobody does anything any more; what was under way ends.
void Simulation::calm_down() {
    network_.trace(nullptr, "---- quiet ----");
    network_.be_quiet();
    stranger_->hang_up_all();
    for (const auto& root : roots_) {
        root->thaw();
        root->restart();
    }
    for (const auto& leaf : leaves_) {
        leaf->thaw();
        leaf->restart();
    }
    run_for(kLongestStall + kMaxDelay);
    stranger_->hang_up_all();  // what had still been on its way to it
    run_for(std::max(times_.answer_within, times_.confirm_within) +
            std::max<Duration>(times_.dead_after, kWaitingDeadAfter) + 2 * kSlack);
}

void Simulation::check_agreement() const {
    for (const auto& root : roots_) {
        root->check_agreement([&](ConnectionId id) {
            return std::any_of(leaves_.begin(), leaves_.end(),
                               [&](const auto& leaf) { return leaf->is_connected_on(id); });
        });
    }
    for (const auto& leaf : leaves_) {
        for (const auto& socket : leaf->sockets()) {
            demand(!socket->is_pending, "a join that never ends");
            if (!socket->is_connected) continue;
            demand(std::any_of(
                       roots_.begin(), roots_.end(),
                       [&](const auto& root) { return root->member_on(socket->line).has_value(); }),
                   "connected, but no member");
        }
    }
}

// An honest leaf is let in, whatever has been before.
void Simulation::admit_one_more(RootProcess& root) {
    network_.trace(nullptr, "---- one more ----");
    if (!root.is_listening()) root.listen(1);
    while (root.accept(Verdict::reject) != std::errc::operation_would_block) {
    }
    if (root.is_full()) root.expel(root.leaves().front());
    LeafProcess& leaf = *chance_.of(leaves_);
    LeafProcess::Socket& socket = *leaf.open();
    leaf.request(socket, root.endpoint);
    run_for(3 * kMaxDelay);
    if (chance_.percent(25)) {  // the application thinks for as long as the leaf has patience
        demand(!root.accept(Verdict::defer), "a request does not arrive");
        run_for(std::min<Duration>(times_.answer_within, 6s) - 8 * kMaxDelay);
    }
    demand(!root.accept(Verdict::accept), "a request does not wait");
    run_for(3 * kMaxDelay);
    demand(socket.is_connected, "an honest leaf is kept out");
    run_for(2 * kMaxDelay);
    demand(root.member_on(socket.line).has_value(), "connected, but no member");
}

// That one leaf hears of it, and nobody else.
void Simulation::expel_one(RootProcess& root) {
    network_.trace(nullptr, "---- expel ----");
    const auto closed = [&] {
        std::uint64_t all = 0;
        for (const auto& leaf : leaves_) {
            for (const auto& socket : leaf->sockets()) all += socket->closed;
        }
        return all;
    };
    std::vector<LeafId> all = root.leaves();
    std::erase_if(all, [&](LeafId leaf) { return !root.member_on(root.connection_of(leaf)); });
    demand(!all.empty(), "the leaf that was let in did not stay");
    const LeafId leaf = chance_.of(all);
    const std::size_t leaves = root.leaves().size();
    const std::uint64_t before = closed();
    root.expel(leaf);
    run_for(2 * kMaxDelay);
    demand(closed() == before + 1, "an expelled leaf is not told, or another one is");
    demand(root.leaves().size() == leaves - 1, "not one leaf is gone");
}

void Simulation::close_all() {
    network_.trace(nullptr, "---- close ----");
    const auto close_roots = [&] {
        for (const auto& root : roots_) root->close();
    };
    if (chance_.percent(50)) close_roots();
    if (chance_.percent(50)) run_for(chance_.between(0s, 100ms));
    for (const auto& leaf : leaves_) {
        while (!leaf->sockets().empty()) leaf->close(*leaf->sockets().front());
        leaf->close_listener();
    }
    if (chance_.percent(50)) run_for(chance_.between(0s, 100ms));
    close_roots();
    run_for(1s);
    demand(network_.connections().empty(), "a connection outlives its sockets");
}

void Simulation::run_for(Duration time) { network_.run_until(network_.now() + time, check_); }

void Simulation::check() const {
    for (const auto& root : roots_) root->check();
    for (const auto& leaf : leaves_) leaf->check();
    // What one side has ended the other side ends too.
    for (const auto& [id, connection] : network_.connections()) {
        for (std::size_t side = 0; side < 2; ++side) {
            const End& end = connection.ends[side];
            const End& other = connection.ends[1 - side];
            if (!end.is_held() || other.state != End::State::closed) continue;
            const Process& process = *end.process;
            if (!process.is_running() || !process.is_honest()) continue;
            const Instant last_heard = std::max(
                {other.closed_at, end.stalled_until, process.thawed_at, connection.turned_at});
            const Duration patience = std::max<Duration>(times_.dead_after, kWaitingDeadAfter);
            demand(network_.now() <= last_heard + patience + kSlack,
                   "one side ends, and the other does not");
        }
    }
}

std::optional<std::string> failure_of(std::uint64_t seed, std::ostream* trace) {
    try {
        Simulation(seed, trace).run();
        return std::nullopt;
    } catch (const Violation& violation) {
        return violation.what;
    }
}

}  // namespace joinleaf::controlplane::simulation
