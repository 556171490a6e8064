// Sockets under test: on wires inside the process, admission over TCP on the loopback interface.
#pragma once

#include <controlplane/admission_message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <joinleaf/runtime.h>

#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>

namespace joinleaf::test {

using namespace std::chrono_literals;

/// How it failed; nothing when it did not.
template <class T>
std::error_code error_of(const Result<T>& result) {
    return result ? std::error_code() : result.error();
}

UserData words(std::string_view text);
/// An endpoint of this host that nobody listens on.
ControlEndpoint free_endpoint();
/// Waits for it, 5 s at most.
bool eventually(const std::function<bool()>& holds);

/// accept() as an application does it that waits for requests on a thread of its own.
std::future<Result<Socket>> accepting(Socket socket, Condition condition = {});

/// A datagram with these octets; waits for a buffer.
void send(Sender& sender, std::string_view text);
/// The next burst of datagrams, one after the other; empty when none comes within `patience`.
std::string receive(Receiver& receiver, std::chrono::milliseconds patience = 5s);
/// Nothing comes, although there was time for it.
bool is_silent(Receiver& receiver);

/// A peer that connects and says it wants to be let in, and then only what it is told to say.
class MuteLeaf {
public:
    explicit MuteLeaf(ControlEndpoint root, Ipv4Address data_address = Ipv4Address(10, 9, 0, 9));
    ~MuteLeaf();
    MuteLeaf(const MuteLeaf&) = delete;
    MuteLeaf& operator=(const MuteLeaf&) = delete;

    void say(const controlplane::AdmissionMessage& message) const;

private:
    int descriptor_;
};

/// A peer that takes a connection and says nothing.
class MuteListener {
public:
    MuteListener();
    ~MuteListener();
    MuteListener(const MuteListener&) = delete;
    MuteListener& operator=(const MuteListener&) = delete;
    [[nodiscard]] ControlEndpoint at() const { return at_; }

private:
    int descriptor_;
    ControlEndpoint at_;
};

/// A leaf that has been let in, and the socket that stands for it at its root.
struct Member {
    Socket leaf;
    Socket at_root;
};

RuntimeOptions quiet(std::vector<PortOptions> ports);
PortOptions port(std::string name, std::uint8_t host);
/// Of a root without a port or receiver yet: 239.1.1.1 or 232.1.1.1, dead after half a second.
SocketOptions root_options(Scheme scheme = kRootedRooted);

/// A root on port 0 and a leaf on port 1, at the two ends of a wire.
class Rooted : public testing::Test {
protected:
    Socket open_root(Scheme scheme = kRootedRooted) {
        auto options = root_options(scheme);
        options.cookie = 100;
        return open_root(options);
    }
    Socket open_root(SocketOptions options);
    Socket open_leaf(Scheme scheme = kRootedRooted);
    /// Asks `root`, which listens at `root_at`, and is accepted.
    Member let_in(Socket& root, Socket leaf, const AdmissionRequest& request = {});
    /// The next event of that type; others before it are passed over.
    std::optional<Event> next(EventType type);
    /// No event waits, and none comes.
    bool no_event();

    const ControlEndpoint root_at = free_endpoint();
    const ControlEndpoint leaf_at = free_endpoint();
    Runtime runtime = Runtime::start(quiet({port("ring:rooted", 1), port("ring:rooted", 2)}));
    Receiver root_receiver = *runtime.open_receiver({.port = 0});
    Receiver leaf_receiver = *runtime.open_receiver({.port = 1});
    EventQueue events = runtime.open_event_queue();
};

}  // namespace joinleaf::test
