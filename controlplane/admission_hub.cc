#include <controlplane/admission_hub.h>
#include <utility>

namespace joinleaf::controlplane {
namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds(10);

}  // namespace

AdmissionHub::AdmissionHub(asio::io_context& io, AdmissionTransportOptions options,
                           Incoming incoming, std::function<void(std::string_view)> warn)
    : look_again_(io),
      transport_(io, std::move(options),
                 {.incoming = std::move(incoming),
                  .connected =
                      [this](ConnectionId connection, const Peer& peer) {
                          tell(connection, [&](auto& owner) { owner.connected(connection, peer); });
                      },
                  .connect_failed =
                      [this](ConnectionId connection, std::errc reason) {
                          tell(connection, [&](auto& owner) {
                              owners_.erase(connection);
                              owner.connect_failed(connection, reason);
                          });
                      },
                  .received =
                      [this](ConnectionId connection, const AdmissionMessage& message) {
                          tell(connection,
                               [&](auto& owner) { owner.received(connection, message); });
                      },
                  .disconnected =
                      [this](ConnectionId connection, std::errc reason) {
                          tell(connection, [&](auto& owner) {
                              owners_.erase(connection);
                              owner.disconnected(connection, reason);
                          });
                      },
                  .warn = std::move(warn)}) {}

void AdmissionHub::let_out(std::shared_ptr<AdmissionHub> hub) {
    if (hub.use_count() > 1 || hub->transport_.connection_count() == 0) return;
    auto& timer = hub->look_again_;
    timer.expires_after(kLookAgain);
    timer.async_wait(
        [hub = std::move(hub)](const std::error_code&) mutable { let_out(std::move(hub)); });
}

template <class Tell>
void AdmissionHub::tell(ConnectionId connection, Tell&& what) {
    const auto found = owners_.find(connection);
    if (found == owners_.end()) return;
    if (const auto owner = found->second.lock()) {
        what(*owner);
    } else {
        hang_up({connection});
    }
}

void AdmissionHub::assign(ConnectionId connection, std::weak_ptr<ConnectionOwner> owner) {
    owners_[connection] = std::move(owner);
}

// What the logic says is within every limit, because they are checked where it is given.
void AdmissionHub::transmit(const Transmit& action) {
    if (!transport_.send(action.connection, action.message)) hang_up({action.connection});
}

void AdmissionHub::hang_up(const HangUp& action) {
    owners_.erase(action.connection);
    transport_.hang_up(action.connection);
}

}  // namespace joinleaf::controlplane
