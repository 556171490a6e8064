#include <controlplane/repair_service.h>
#include <fmt/format.h>
#include <asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <chrono>

namespace joinleaf::controlplane {
namespace {

using asio::ip::udp;

// A request has 20 octets; whoever sends more is seen to.
constexpr std::size_t kLongestRequest = 64;

// Requests that wait in the kernel while the control thread does something else: many leaves lose
// the same packet at the same moment. The kernel gives what it allows.
constexpr int kReceiveBuffer = 4 * 1024 * 1024;

// A turn in which the thread was kept from running does not count for more.
constexpr Duration kLongestPause = std::chrono::milliseconds(1);

// From one header to what UDP over IPv4 can carry.
constexpr std::size_t kLeastCapacity = net::kMoldHeaderSize + net::kMoldLengthSize;
constexpr std::size_t kMostCapacity = 65507;

bool is_usable(const RepairLimits& limits) {
    const auto is_rate = [](std::uint64_t rate, std::uint64_t burst) {
        return rate >= 1 && rate <= dataplane::TokenBucket::kMaxRate && burst >= 1 &&
               burst <= dataplane::TokenBucket::kMaxBurst;
    };
    return limits.capacity >= kLeastCapacity && limits.capacity <= kMostCapacity &&
           is_rate(limits.octets_per_second, limits.burst_octets) &&
           is_rate(limits.leaf_octets_per_second, limits.leaf_burst_octets) &&
           is_rate(limits.refusals_per_second, limits.burst_refusals) &&
           limits.duplicate_within >= Duration::zero() && limits.quarantine >= Duration::zero() &&
           limits.max_leaves >= 1;
}

std::errc reason_of(const std::error_code& error) {
    return static_cast<std::errc>(error.default_error_condition().value());
}

Instant now() { return std::chrono::steady_clock::now(); }

}  // namespace

Result<std::shared_ptr<RepairService>> RepairService::open(asio::io_context& io,
                                                           const RepairServerOptions& options,
                                                           RepairServiceEvents events) {
    if (!is_usable(options.limits)) {
        events.log("the limits of a repair server cannot be kept; see RepairLimits");
        return failure(std::errc::invalid_argument);
    }
    std::shared_ptr<RepairService> service(new RepairService(io, options, std::move(events)));
    if (auto bound = service->bind(); !bound) return tl::unexpected(bound.error());
    return service;
}

RepairService::RepairService(asio::io_context& io, const RepairServerOptions& options,
                             RepairServiceEvents events)
    : options_(options), events_(std::move(events)), socket_(io), pause_(io) {}

RepairService::~RepairService() = default;

Result<void> RepairService::bind() {
    const UdpEndpoint& at = options_.endpoint;
    std::error_code error;
    const auto refused = [&](std::string_view what) -> Result<void> {
        events_.log(fmt::format("repair requests cannot be taken at {}: {} ({})", at.to_string(),
                                error.message(), what));
        return failure(reason_of(error));
    };
    if (!at.address.is_unicast() && !at.address.is_loopback()) {
        error = std::make_error_code(std::errc::address_not_available);
        return refused("leaves are told this address, so it must be one of this host's");
    }
    socket_.open(udp::v4(), error);
    if (error) return refused("the socket");
    socket_.non_blocking(true, error);
    if (error) return refused("the socket");
    // What the kernel does not allow is less room, and the retries of leaves make up for it.
    std::error_code less;
    socket_.set_option(asio::socket_base::receive_buffer_size(kReceiveBuffer), less);
    socket_.bind({asio::ip::address_v4(at.address.value()), at.port.value()}, error);
    if (error) return refused("no other may use it, and the address must be one of this host's");
    return {};
}

void RepairService::serve(std::shared_ptr<const dataplane::MessageLog> log, std::size_t least) {
    log_ = std::move(log);
    options_.limits.capacity = std::clamp(options_.limits.capacity, least, kMostCapacity);
    server_.emplace(options_.limits, now());
    packet_.resize(options_.limits.capacity);
    wait();
}

void RepairService::wait() {
    socket_.async_wait(udp::socket::wait_read,
                       [self = weak_from_this()](const std::error_code& error) {
                           const auto service = self.lock();
                           if (service && !error) service->turn();
                       });
}

void RepairService::turn() {
    const Instant began = now();
    std::array<std::byte, kLongestRequest> request;
    for (std::size_t i = 0; i < kRequestsPerTurn; ++i) {
        udp::endpoint from;
        std::error_code error;
        const std::size_t size =
            socket_.receive_from(asio::buffer(request.data(), request.size()), from, 0, error);
        if (error == asio::error::would_block) return wait();
        if (error) continue;  // of one datagram, or of an answer that somebody did not want
        answer(Ipv4Address(from.address().to_v4().to_uint()), std::span(request).first(size), from,
               now());
    }
    // Others go first.
    pause_.expires_after(std::min(now() - began, kLongestPause));
    pause_.async_wait([self = weak_from_this()](const std::error_code& error) {
        const auto service = self.lock();
        if (service && !error) service->wait();
    });
}

void RepairService::answer(Ipv4Address leaf, std::span<const std::byte> request,
                           const udp::endpoint& from, Instant now) {
    const RepairAnswer answer = server_->serve(*log_, leaf, request, packet_, now);
    if (answer.outcome == RepairOutcome::answered) {
        std::error_code error;
        socket_.send_to(asio::buffer(answer.packet.data(), answer.packet.size()), from, 0, error);
        if (error) ++unsent_;
    }
    if (answer.outcome == RepairOutcome::too_old && events_.too_old) {
        HistoryBegins begins{.session = {}, .sequence = answer.history_begins};
        begins.session.fill(' ');
        const net::MoldSession session = log_->known().session;
        std::copy(session.name().begin(), session.name().end(), begins.session.begin());
        told_ += events_.too_old(leaf, begins);
    }
    if (answer.to_be_named) {
        const std::string name = events_.name_of ? events_.name_of(leaf) : std::string();
        events_.log(fmt::format(
            "{}{} does not stop asking for what it cannot have; it is not answered for {} s",
            leaf.to_string(), name.empty() ? "" : fmt::format(" ('{}')", name),
            std::chrono::duration<double>(options_.limits.quarantine).count()));
    }
}

RepairStatus RepairService::status() const {
    RepairStatus status{.socket = 0, .endpoint = options_.endpoint};
    if (!server_) return status;
    const RepairCounters& counters = server_->counters();
    const auto known = log_->known();
    status.session = known.session.name();
    status.history_begins = known.range.first;
    status.next_sequence = known.range.end;
    status.requests = counters.outcomes;
    status.messages = counters.messages;
    status.octets = counters.octets;
    status.unsent = unsent_;
    status.leaves = server_->leaves();
    status.quarantines = counters.quarantines;
    status.forgotten = counters.forgotten;
    status.told = told_;
    return status;
}

}  // namespace joinleaf::controlplane
