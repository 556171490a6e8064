// A root's leaves: answers those that ask, invites those it was told of, and tells who comes and
// goes; and carries out what its operator says.
#pragma once

#include <apps/joinleaf/black_box.h>
#include <apps/joinleaf/collector.h>
#include <apps/joinleaf/commands.h>
#include <apps/joinleaf/console.h>
#include <apps/joinleaf/options.h>
#include <apps/joinleaf/report.h>
#include <joinleaf/runtime.h>

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace joinleaf::app {

/// Works on a thread of its own. Who may come in is the policy's to say, which the socket asks.
class Admitter {
public:
    /// Carries out the operator's `reload`, on this thread.
    using Reload = std::function<CommandAnswer()>;

    /// Opens the root. `console` and `collector`, where there are any, and `black_box` outlive
    /// this. Errors: throws Failure.
    Admitter(Runtime& runtime, const RootAdmission& admission, const SenderOptions& sender,
             Reporter& report, Console* console, Collector* collector, BlackBox& black_box,
             Reload reload);
    Admitter(const Admitter&) = delete;
    Admitter& operator=(const Admitter&) = delete;
    ~Admitter();

    /// The session's own socket, in place in the data plane.
    [[nodiscard]] Socket& root() noexcept { return root_; }
    /// Listens and begins to invite. Errors: throws Failure.
    void begin();
    /// Any thread.
    [[nodiscard]] LeafCounts counts() const;
    /// Invites these, too, from its next look on. Any thread.
    void invite_also(std::vector<ControlEndpoint> leaves);
    /// Ends the session (M4): closes the root, of which every leaf is told. Idempotent.
    void end();

private:
    struct Leaf {
        Socket socket;
        LeafFacts facts;
        bool joined = false;
    };
    struct Invitation {
        ControlEndpoint leaf;
        Instant next{};  ///< when it may be tried (again)
        std::error_code last_error;
        bool taken = false;
    };

    /// On the control thread.
    void refused(const Peer& peer, std::string_view why);
    void run();
    void handle(const Event& event);
    void accept_all();
    void take_invitations();
    void invite_next(Instant now);
    void invitation_ended(std::error_code error);
    void try_again(Invitation& invitation, std::error_code error);
    void joined(Leaf& leaf);
    void closed(SocketId id, std::error_code reason);

    void wait();
    [[nodiscard]] CommandAnswer carry_out(std::string_view line);
    [[nodiscard]] CommandAnswer list_leaves() const;
    [[nodiscard]] CommandAnswer expel(const std::string& who);
    [[nodiscard]] CommandAnswer invite(const ControlEndpoint& leaf);
    [[nodiscard]] CommandAnswer record(const std::string& path);
    [[nodiscard]] std::vector<LeafFacts> members() const;

    const RootAdmission& admission_;
    Reporter& report_;
    Console* console_;
    Collector* collector_;
    Reload reload_;
    BlackBox& black_box_;
    Socket root_;
    EventQueue events_;
    std::map<SocketId, Leaf> leaves_;
    std::list<Invitation> invitations_;
    /// The one under way (M12), and the socket that will stand for its leaf.
    Invitation* inviting_ = nullptr;
    Socket invited_;
    std::uint64_t last_number_ = 0;
    mutable std::mutex mutex_;
    LeafCounts counts_;
    std::vector<ControlEndpoint> to_invite_;
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

}  // namespace joinleaf::app
