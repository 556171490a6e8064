// A socket's place in the data plane: what it receives and what it sends, lent to the worker and
// taken back, and its IGMP membership. Used by every kind of join.
#pragma once

#include <controlplane/attach_plan.h>
#include <controlplane/feed_publisher_impl.h>
#include <controlplane/port_context.h>
#include <controlplane/receiver_impl.h>
#include <controlplane/replicas.h>
#include <dataplane/outlet.h>
#include <dataplane/subscription.h>
#include <joinleaf/socket.h>
#include <functional>
#include <future>
#include <memory>
#include <optional>

namespace joinleaf::controlplane {

/// What never changes for a socket.
struct Endpoints {
    SocketId socket{};
    std::uint64_t cookie = 0;
    InlineHandler handler{};
    std::shared_ptr<Receiver::Impl> receiver;
    SenderOptions sender{};
    std::size_t queue = 0;  ///< of the port: where the socket is at home
    /// Held for as long as the worker may call handler or source; see SocketCore.
    std::shared_ptr<std::promise<void>> lent;
};

/// Control thread only. What the worker borrows is kept until the worker has given it back, because
/// every command's completion holds a reference.
class Attachment : public std::enable_shared_from_this<Attachment> {
public:
    /// Called once, unless detach() comes first: when the worker delivers and sends, and the IGMP
    /// report, if there is one to send, has left at `at` (M7).
    using Ready = std::function<void(std::error_code error, Instant at)>;

    Attachment(PortContext& port, const Endpoints& endpoints, AttachPlan plan);

    void attach(std::uint8_t scope, bool loopback, Ready ready);
    /// Takes everything back and leaves the group. Idempotent.
    void detach();

    /// A joined group's sources, from now on. Errors: those of the IGMP host.
    Result<void> set_sources(const SourceFilter& sources, Held applied);
    /// Sources for reception alone, which IGMP is not told of: who may send to our own address.
    /// `applied` is called when the worker goes by them.
    void set_admitted_sources(const SourceFilter& sources, std::function<void()> applied);
    /// Whether it receives at the port's own address.
    [[nodiscard]] bool receives_unicast() const {
        return plan_.reception && !plan_.reception->destination.is_multicast();
    }
    /// Whether the port has taken, or the worker dropped, all that the Sender was handed.
    [[nodiscard]] bool is_sent() const {
        return (send_queue_ == nullptr || send_queue_->in_flight() == 0) &&
               (feed_ == nullptr || feed_->in_flight() == 0);
    }
    void set_scope(std::uint8_t scope, Held applied);
    void set_loopback(bool on, Held applied);

    [[nodiscard]] bool receives_group() const {
        return plan_.reception && plan_.reception->destination.is_multicast();
    }
    [[nodiscard]] bool sends() const { return plan_.sending.has_value(); }
    /// The queue to the worker. Most members never send: whoever also receives gets its way out
    /// with the first call. Errors: no_buffer_space, network_unreachable.
    [[nodiscard]] Result<std::shared_ptr<dataplane::SendQueue>> send_queue();
    /// Begins the feed that this socket sends in place of datagrams; once. Errors: as send_queue(),
    /// and device_or_resource_busy, invalid_argument, not_enough_memory.
    [[nodiscard]] Result<std::shared_ptr<FeedPublisher::Impl>> publish_feed(
        const FeedPublisherOptions& options);
    /// Where a session's data goes by unicast; null where it does not, or while not attached.
    [[nodiscard]] Replicas* replicas() const { return replicates() ? replicas_.get() : nullptr; }
    /// The counters of what is received; nothing while there is no reception.
    [[nodiscard]] std::optional<MembershipStatus> status() const;

private:
    [[nodiscard]] igmp::MemberId member() const {
        return static_cast<igmp::MemberId>(static_cast<std::uint32_t>(endpoints_.socket));
    }
    [[nodiscard]] GroupAddress group() const {
        return *GroupAddress::from(plan_.reception->destination);
    }
    [[nodiscard]] bool replicates() const { return plan_.sending && plan_.sending->leaves > 0; }
    [[nodiscard]] const Seat& seat() const { return port_.steering().seat(endpoints_.queue); }
    [[nodiscard]] dataplane::HeaderTemplate header() const;
    [[nodiscard]] dataplane::Route route() const;
    [[nodiscard]] bool sends_feed() const {
        return endpoints_.sender.framing == Framing::moldudp64;
    }
    void subscribe();
    void subscribed(Instant at);
    void report(Instant in_place);
    [[nodiscard]] Result<void> add_outlet();
    [[nodiscard]] Result<void> add_replication();
    void refresh_outlet(Held applied = {});
    void replace_filter(const SourceFilter& sources, std::function<void()> applied);
    void finish(std::error_code error, Instant at);

    PortContext& port_;
    Endpoints endpoints_;
    AttachPlan plan_;
    Ready ready_;
    Instant called_at_{};
    std::uint8_t scope_ = 1;
    bool loopback_ = false;
    bool attached_ = false;
    bool steered_ = false;
    std::optional<NeighbourWatch> next_hop_;  ///< while attached
    std::optional<MacAddress> next_mac_;
    bool next_hop_silent_ = false;
    std::shared_ptr<const SourceFilter> filter_;
    std::shared_ptr<dataplane::Subscription> subscription_;
    std::shared_ptr<dataplane::Outlet> outlet_;
    std::shared_ptr<Replicas> replicas_;  ///< of an outlet that has a replication
    std::shared_ptr<dataplane::SendQueue> send_queue_;
    std::shared_ptr<FeedPublisher::Impl> feed_;
};

}  // namespace joinleaf::controlplane
