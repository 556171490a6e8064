// Where the operator of a running root speaks to it: lines from standard input, or from whoever
// connects to a Unix stream socket of the same user.
#pragma once

#include <apps/joinleaf/descriptor.h>
#include <chrono>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pollfd;

namespace joinleaf::app {

/// One thread.
class Console {
public:
    static constexpr std::size_t kLongestLine = 4096;
    static constexpr std::size_t kMostClients = 64;

    /// Called with a line, without its end; what it returns is written back.
    using Answer = std::function<std::string(std::string_view line)>;

    /// `where`: "-" for standard input, whose answers go to `say`; else a path at which a socket is
    /// made that this user alone may connect to, in place of one that nobody listens at any more.
    /// Errors: throws Failure.
    Console(const std::string& where, std::function<void(std::string_view)> say);
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;
    /// Removes the socket.
    ~Console();

    /// Waits for lines, for `other` to be readable, or for `timeout`; then answers what has come.
    void serve(int other, std::chrono::milliseconds timeout, const Answer& answer);

private:
    struct Client {
        Descriptor fd;
        std::string heard;
        std::string to_say;
        bool ended = false;  ///< it says nothing more
        short events = 0;    ///< what poll(2) told last
    };

    void listen_at(const std::string& path);
    [[nodiscard]] bool watches_input() const;
    void let_in();
    void hear_input(const Answer& answer);
    void serve_client(Client& client, const Answer& answer);
    static void write_to(Client& client);

    std::function<void(std::string_view)> say_;
    Descriptor input_;  ///< none: a socket, or the input has ended
    bool is_terminal_ = false;
    std::string heard_;  ///< of the input
    Descriptor listening_;
    std::string path_;  ///< to be removed
    std::list<Client> clients_;
    std::vector<pollfd> waits_;
};

}  // namespace joinleaf::app
