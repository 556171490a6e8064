// The inside of AdmissionTransport; its functions are in the admission_transport*.cc, by what they
// are about.
#pragma once

#include <controlplane/admission_acceptor.h>
#include <controlplane/admission_connection.h>
#include <controlplane/admission_transport.h>
#include <fmt/format.h>
#include <asio/steady_timer.hpp>

#include <array>
#include <deque>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace joinleaf::controlplane {

class AdmissionTransport::Impl : public std::enable_shared_from_this<Impl> {
    using Stage = ConnectionStage;
    using State = ByteStream::State;
    using ConnectionPtr = std::shared_ptr<AdmissionConnection>;

    /// Read of one connection before the next has its turn.
    static constexpr std::size_t kReadOctets = 4096;

public:
    Impl(asio::io_context& io, AdmissionTransportOptions options, AdmissionTransportEvents events)
        : io_(io),
          options_(std::move(options)),
          events_(std::move(events)),
          gate_(options_.strangers),
          acceptor_(io, [this] { schedule(); }),
          deadline_timer_(io),
          accept_timer_(io) {}

    void close() {
        closed_ = true;
        acceptor_.close();
        deadline_timer_.cancel();
        accept_timer_.cancel();
        for (const auto& [id, connection] : connections_) close_socket(*connection);
        connections_.clear();
    }

    Result<void> listen(ControlEndpoint at) {
        auto listening = acceptor_.listen(at);
        if (listening && options_.tls == nullptr && !at.address.is_loopback()) {
            warn(fmt::format(
                "listening on {}:{} without TLS: whoever reaches this port can read, change and "
                "forge admission; configure pre-shared keys or certificates",
                at.address.to_string(), at.port.value()));
        }
        return listening;
    }

    void stop_listening() {
        acceptor_.close();
        while (const auto stranger = gate_.greediest()) evict(*stranger);
    }

    ConnectionId next_connection() { return ConnectionId{++last_connection_}; }

    void dial(ConnectionId id, ControlEndpoint to);
    Result<void> send(ConnectionId id, const AdmissionMessage& message);
    void hang_up(ConnectionId id);

    void use_tls(std::shared_ptr<const TlsContext> tls) { options_.tls = std::move(tls); }
    [[nodiscard]] bool is_unread(ConnectionId id) const;

    [[nodiscard]] const TransportCounters& counters() const { return counters_; }
    [[nodiscard]] std::size_t half_open_count() const { return gate_.half_open(); }
    [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

private:
    // The turn: what is due, a little of each, until the time is up.
    void schedule();
    void turn();
    bool step_next(std::deque<ConnectionPtr>& due);
    void make_due(const ConnectionPtr& connection);

    // Strangers.
    bool accept_one();
    void out_of_files();
    bool make_room();
    bool evict_greediest();
    bool may_speak(AdmissionConnection& connection);

    // One connection's step.
    void step(const ConnectionPtr& connection);
    void finish_dial(const ConnectionPtr& connection);
    void handshake(const ConnectionPtr& connection);
    void read(const ConnectionPtr& connection);
    bool take_in(const ConnectionPtr& connection, std::span<const std::byte> octets);
    bool take_message(const ConnectionPtr& connection, std::span<const std::byte> frame);
    void write(const ConnectionPtr& connection);
    void await_read(const ConnectionPtr& connection);
    void await_write(const ConnectionPtr& connection);

    // Its end.
    void lose(const ConnectionPtr& connection, std::errc reason);
    void refuse_version(const ConnectionPtr& connection);
    void leave(const ConnectionPtr& connection);
    void remove(ConnectionId id);
    void evict(ConnectionId stranger);
    static void close_socket(AdmissionConnection& connection);

    // Time.
    void set_deadline(AdmissionConnection& connection, Duration from_now);
    void drop_deadline(AdmissionConnection& connection);
    void arm();
    void expire();
    bool is_read_first(ConnectionPtr connection);

    [[nodiscard]] static Instant clock_now() { return std::chrono::steady_clock::now(); }

    void warn(std::string_view line) {
        if (events_.warn) events_.warn(line);
    }
    void warn_of_tls(const AdmissionConnection& connection, std::string_view reason);
    template <class... Args>
    void tell(const std::function<void(Args...)>& event, std::type_identity_t<Args>... args) {
        if (event && !closed_) event(std::forward<std::type_identity_t<Args>>(args)...);
    }

    asio::io_context& io_;
    AdmissionTransportOptions options_;
    AdmissionTransportEvents events_;
    TransportCounters counters_;
    Gatekeeper gate_;
    AdmissionAcceptor acceptor_;
    std::unordered_map<ConnectionId, ConnectionPtr> connections_;
    std::deque<ConnectionPtr> known_due_;
    std::deque<ConnectionPtr> strangers_due_;
    std::set<std::pair<Instant, ConnectionId>> deadlines_;  // of dials and of those who leave
    asio::steady_timer deadline_timer_;
    asio::steady_timer accept_timer_;
    Instant armed_{Instant::max()};
    Instant warned_{};
    std::uint64_t last_connection_ = 0;
    bool scheduled_ = false;
    bool closed_ = false;
    std::array<std::byte, kReadOctets> scratch_{};
};

}  // namespace joinleaf::controlplane
