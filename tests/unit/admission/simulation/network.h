// A network with virtual time: connections that delay, stall, break on one side or on both, and
// processes that freeze, die and come back.
#pragma once

#include <controlplane/admission_actions.h>
#include <tests/unit/admission/simulation/chance.h>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <vector>

namespace joinleaf::controlplane::simulation {

using namespace std::chrono_literals;

/// A message takes at most this long, unless its direction is stalled.
inline constexpr Duration kMaxDelay = 40ms;
/// A timer is late by at most this much.
inline constexpr Duration kMaxLateness = 10ms;

/// What the two together make of a bound on silence.
inline constexpr Duration kSlack = kMaxDelay + kMaxLateness + 1ms;

/// The times that all sockets of one simulation agree on.
struct Times {
    std::chrono::milliseconds dead_after{3000};
    Duration answer_within{};
    Duration confirm_within{};
    Duration request_within{};
};

/// Something happened that must not.
struct Violation {
    std::string what;
};
inline void demand(bool holds, const char* what) {
    if (!holds) throw Violation{what};
}

class Process;

/// One end of a connection, and what has been delivered there.
struct End {
    enum class State : std::uint8_t { none, connecting, open, closed };
    Process* process = nullptr;
    State state = State::none;
    Instant closed_at{};
    Instant last_arrival{};         // nothing overtakes
    Instant stalled_until{};        // nothing arrives before
    bool deaf = false;              // nothing arrives any more
    bool reset_on_arrival = false;  // lost its memory: the machine went down and came back

    Instant heard{};  // when something was heard here, by the clock of `process`
    bool broke = false;
    std::optional<std::errc> farewell;
    std::optional<std::errc> refuse;

    [[nodiscard]] bool is_held() const {
        return state == State::connecting || state == State::open;
    }
};

struct Connection {
    std::array<End, 2> ends;  // who dialled, and who was called
    bool admitted = false;    // Admit or Invite has been sent
    Instant turned_at{};      // when it last came a step further, from where silence counts anew
};

class Network {
public:
    Network(Chance& chance, std::ostream* trace) : chance_(chance), trace_(trace) {}

    // ---- Time ----
    [[nodiscard]] Instant now() const { return now_; }
    void at(Instant when, std::function<void()> what);
    void after(Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
    /// Everything that happens until then; `after_each` sees every step.
    void run_until(Instant end, const std::function<void()>& after_each);

    // ---- What processes do ----
    void attach(Process& process) { processes_.push_back(&process); }
    [[nodiscard]] ConnectionId new_connection() { return ConnectionId{++last_connection_}; }
    void dial(Process& from, ConnectionId id, const ControlEndpoint& to);
    void send(Process& from, ConnectionId id, const AdmissionMessage& message);
    void hang_up(Process& from, ConnectionId id);

    // ---- What befalls them ----
    /// Breaks; each side learns of it soon, late or never.
    void lose(ConnectionId id);
    void stall(ConnectionId id, std::size_t side, Duration time);
    /// All connections of `process` end: told to the other sides, or, with the power, silently.
    void crashed(Process& process, bool with_power);

    /// From now on nothing fails any more.
    void be_quiet() { is_quiet_ = true; }
    [[nodiscard]] bool is_quiet() const { return is_quiet_; }

    // ---- What is seen ----
    [[nodiscard]] const std::map<ConnectionId, Connection>& connections() const {
        return connections_;
    }
    /// Null when both ends have closed.
    [[nodiscard]] const Connection* find(ConnectionId id) const;
    /// The end of `process`, and the other one.
    [[nodiscard]] const End* end_of(const Process& process, ConnectionId id) const;
    [[nodiscard]] const End* other_end(const Process& process, ConnectionId id) const;

    [[nodiscard]] bool is_traced() const { return trace_ != nullptr; }
    void trace(const Process* process, const std::string& what);

private:
    struct Event {
        Instant when;
        std::uint64_t number;
        std::function<void()> what;
        bool operator>(const Event& other) const {
            return when != other.when ? when > other.when : number > other.number;
        }
    };

    [[nodiscard]] Duration delay() { return chance_.between(Duration(50us), kMaxDelay); }
    [[nodiscard]] Connection* lookup(ConnectionId id);
    [[nodiscard]] End* end_at(ConnectionId id, std::size_t side);
    void called(ConnectionId id, const ControlEndpoint& to);
    void arrive(ConnectionId id, std::size_t side, std::function<void(End&)> what);
    void end_arrives(ConnectionId id, std::size_t side, std::errc reason);
    void notice(ConnectionId id, std::size_t side, std::errc reason);
    void close(ConnectionId id, std::size_t side);

    Chance& chance_;
    std::ostream* trace_;
    Instant now_{Duration(1h)};
    bool is_quiet_ = false;
    std::uint64_t last_event_ = 0;
    std::uint64_t last_connection_ = 0;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::map<ConnectionId, Connection> connections_;
    std::vector<Process*> processes_;
};

/// Where a process runs.
struct Machine {
    Network& network;
    Chance& chance;
    std::string name;
    ControlEndpoint endpoint;
};

/// One process on a machine of its own: its clock, its mailbox, its one timer.
class Process {
public:
    explicit Process(Machine machine)
        : network(machine.network),
          chance(machine.chance),
          name(std::move(machine.name)),
          endpoint(machine.endpoint) {
        network.attach(*this);
    }
    virtual ~Process() = default;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    // What the network tells; by the time of the call the end has the state that it tells of.
    virtual void incoming(ConnectionId id, const Peer& peer) = 0;
    virtual void connected(ConnectionId id, const Peer& peer) = 0;
    virtual void received(ConnectionId id, const AdmissionMessage& message) = 0;
    /// Also a connection attempt that failed.
    virtual void disconnected(ConnectionId id, std::errc reason, bool was_connecting) = 0;
    virtual void advance() = 0;
    /// It was frozen for so long.
    virtual void stalled(Duration time) = 0;
    [[nodiscard]] virtual std::optional<Instant> next_deadline() const = 0;
    [[nodiscard]] virtual bool is_listening() const = 0;
    /// Whether it keeps to the rules.
    [[nodiscard]] virtual bool is_honest() const { return true; }
    /// Forgets all it knows.
    virtual void die() = 0;
    virtual void start() = 0;

    /// Runs `what` now, or when the process runs again; never if it dies before. What comes `on` a
    /// connection waits there to be read.
    void post(std::optional<ConnectionId> on, std::function<void()> what);
    /// What a process that ran again would read.
    [[nodiscard]] bool has_unread(ConnectionId id) const;
    void freeze(Duration time);
    void thaw();
    void crash(bool with_power);
    void restart();
    void jump(Duration time);
    /// After anything that may have moved the deadline.
    void arm();

    [[nodiscard]] Instant local_now() const { return network.now() + offset; }
    [[nodiscard]] bool is_running() const { return is_alive && !is_frozen; }

    Network& network;
    Chance& chance;
    const std::string name;
    const ControlEndpoint endpoint;
    bool is_alive = true;
    bool lost_power = false;
    bool is_frozen = false;
    Instant frozen_at{};
    Instant thawed_at{};
    Duration offset{0};

private:
    struct Mail {
        std::optional<ConnectionId> on;
        std::function<void()> what;
    };

    std::uint64_t life_ = 0;
    std::uint64_t nap_ = 0;
    std::optional<Instant> wake_at_;
    std::deque<Mail> mailbox_;
};

}  // namespace joinleaf::controlplane::simulation
