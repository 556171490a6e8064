// The demonstration, act by act: what happens, what is told, and what went wrong.
#pragma once

#include <apps/joinleaf/demo/leaf_sink.h>
#include <apps/joinleaf/demo/switch_thread.h>
#include <apps/joinleaf/demo/test_file.h>
#include <apps/joinleaf/input.h>
#include <apps/joinleaf/run.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace joinleaf::app {

/// A root and two leaves on three ports of one runtime, wired to a snooping switch. One thread.
class Story {
public:
    /// Starts the runtime and the switch, and shows the ports. Errors: throws std::system_error.
    Story(const DemoOptions& options, Surroundings& surroundings);
    Story(const Story&) = delete;
    Story& operator=(const Story&) = delete;
    ~Story();

    // The acts, in this order. Errors: throw Failure where the story cannot go on.
    void join_leaves();
    void publish_file();
    void measure_latency();
    void leave_and_publish_on();
    void admit_and_expel();
    /// Tells the losses and the verdict. Returns the exit code.
    int end();

private:
    static constexpr std::size_t kRootPort = 0;

    struct Leaf {
        Leaf(std::string_view its_name, std::size_t its_port);
        std::string_view name;
        std::size_t port;
        LeafSink sink;
        Socket socket;   ///< joined by IGMP alone
        Socket session;  ///< let in by a root
        bool listens = true;
        std::size_t reports_shown = 0;
    };
    /// A socket that publishes to the group, and its queue.
    struct Root {
        Socket socket;
        Sender sender;
    };

    void show_ports();
    void join(Leaf& leaf, Scheme scheme, const SourceFilter& sources);
    SeenReport show_report(Leaf& leaf);
    [[nodiscard]] Root open_root(std::uint64_t packets_per_second);

    void begin(LeafSink::Work work);
    void send_file(TestFile& file, Root& root);
    void send_stamped(Sender& sender, std::uint64_t count, Duration apart);
    void show_rates(Instant now, std::uint64_t octets_in_all);
    /// Of the leaf that has the fewest.
    [[nodiscard]] std::uint64_t arrived() const;
    /// Until every listener has all that was sent, or nothing has come for a while.
    void wait_for_arrival();
    void check_stop();

    // Of the act in which a root decides who may listen.
    [[nodiscard]] Socket open_in_session(SocketOptions options);
    [[nodiscard]] Event await(EventType type, const Socket& socket);
    [[nodiscard]] Socket invite(Leaf& leaf, Socket& root);
    [[nodiscard]] Socket ask(Leaf& leaf, Socket& root, ControlEndpoint root_at);
    void tell_joined(Leaf& leaf, std::string_view how, Instant called, const Event& at_leaf,
                     const Event& at_root);
    /// What the leaf reported of the session's group, in words; the switch has read it.
    [[nodiscard]] std::string session_record(Leaf& leaf, bool of_leaving);
    void refuse_stranger(Socket& root, ControlEndpoint root_at);
    void expel(Leaf& leaf, Socket& stands_for_leaf, Sender& sender);

    void heading(std::string_view line);
    void problem(std::string what);

    const DemoOptions& options_;
    Surroundings& around_;
    Reporter& report_;
    // Sinks before the runtime whose worker calls them, the switch after it.
    std::deque<Leaf> leaves_;
    Runtime runtime_;
    EventQueue events_ = runtime_.open_event_queue();
    std::vector<Event> heard_;  ///< and not asked for yet
    std::optional<SwitchThread> network_;
    std::uint64_t sent_ = 0;  ///< datagrams of this act
    Instant act_began_{};
    Instant rates_shown_{};
    PortCounters root_shown_{};
    std::vector<std::string> problems_;
};

}  // namespace joinleaf::app
