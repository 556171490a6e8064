// A repair server on the control thread: requests come by a kernel UDP socket, answers leave by it.
// Who gets what is for RepairServer to know.
#pragma once

#include <controlplane/repair.h>
#include <dataplane/message_log.h>
#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <asio/steady_timer.hpp>

#include <joinleaf/error.h>
#include <joinleaf/repair.h>
#include <joinleaf/session.h>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::controlplane {

/// What the service tells and asks; from the io_context. None of them may destroy it.
struct RepairServiceEvents {
    /// Somebody at that address has asked for what is older than the history. Returns how many
    /// leaves were told so.
    std::function<std::size_t(Ipv4Address, const HistoryBegins&)> too_old;
    /// What leaves at that address call themselves; empty: nobody there is known.
    std::function<std::string(Ipv4Address)> name_of;
    /// One line for the operator.
    std::function<void(std::string_view)> log;
};

/// All functions, and the destructor, on the thread that runs the io_context. The destructor closes
/// the socket; nothing is told any more.
class RepairService : public std::enable_shared_from_this<RepairService> {
public:
    /// Requests taken at a stretch; then others on the io_context have their turn, for as long as
    /// that took, a millisecond at most: an endless flood has half of the thread's time.
    static constexpr std::size_t kRequestsPerTurn = 64;

    /// Binds. Errors: invalid_argument (limits), address_in_use,
    /// address_not_available, permission_denied ...; the log line names endpoint and cause.
    [[nodiscard]] static Result<std::shared_ptr<RepairService>> open(
        asio::io_context& io, const RepairServerOptions& options, RepairServiceEvents events);
    ~RepairService();
    RepairService(const RepairService&) = delete;
    RepairService& operator=(const RepairService&) = delete;

    /// Begins to answer, once; requests that have come before wait in the socket. Answers have room
    /// for `least` octets of payload, or the limits' capacity if that is more.
    void serve(std::shared_ptr<const dataplane::MessageLog> log, std::size_t least = 0);

    [[nodiscard]] const UdpEndpoint& endpoint() const { return options_.endpoint; }
    [[nodiscard]] RepairStatus status() const;

private:
    RepairService(asio::io_context& io, const RepairServerOptions& options,
                  RepairServiceEvents events);
    Result<void> bind();
    void wait();
    void turn();
    void answer(Ipv4Address leaf, std::span<const std::byte> request,
                const asio::ip::udp::endpoint& from, Instant now);

    RepairServerOptions options_;
    RepairServiceEvents events_;
    asio::ip::udp::socket socket_;
    asio::steady_timer pause_;
    std::optional<RepairServer> server_;  ///< none before serve()
    std::shared_ptr<const dataplane::MessageLog> log_;
    std::vector<std::byte> packet_;  ///< the answer that is made
    std::uint64_t unsent_ = 0;
    std::uint64_t told_ = 0;
};

}  // namespace joinleaf::controlplane
