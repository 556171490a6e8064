// Takes connections from listening sockets, some at a time, and goes on when descriptors run out.
#pragma once

#include <joinleaf/session.h>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <functional>
#include <list>
#include <memory>

namespace joinleaf::controlplane {

/// One owner, on the io_context's thread.
class AdmissionAcceptor {
public:
    /// `ready` is called from the io_context when take() would find something.
    AdmissionAcceptor(asio::io_context& io, std::function<void()> ready);
    ~AdmissionAcceptor();
    AdmissionAcceptor(const AdmissionAcceptor&) = delete;
    AdmissionAcceptor& operator=(const AdmissionAcceptor&) = delete;

    Result<void> listen(ControlEndpoint at);
    void close();

    struct Taken {
        int descriptor = -1;  ///< nonblocking; the caller's to close
        ControlEndpoint peer;
    };
    enum class Failure : std::uint8_t {
        nothing,       ///< nobody waits; `ready` will be called
        out_of_files,  ///< somebody waits, and there is no descriptor for them
        other,         ///< this one went wrong, the next may not
    };
    [[nodiscard]] tl::expected<Taken, Failure> take();
    /// Whether take() may find something.
    [[nodiscard]] bool is_ready() const;
    /// Takes one connection with the descriptor kept for this, and closes it, so that those who
    /// wait are not left in doubt; nobody is ready any more.
    void turn_one_away();
    /// After turn_one_away(): looks again.
    void resume();

private:
    struct Listener {
        explicit Listener(asio::io_context& io) : socket(io) {}
        asio::ip::tcp::acceptor socket;
        bool ready = false;
        bool waits = false;
    };

    void await(Listener& listener);

    asio::io_context& io_;
    std::function<void()> ready_;
    std::list<Listener> listeners_;
    std::shared_ptr<bool> alive_;  // asked by handlers that come too late
    int reserve_;
};

}  // namespace joinleaf::controlplane
