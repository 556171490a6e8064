#include <controlplane/feed_publisher_impl.h>

#include <chrono>

namespace joinleaf {
namespace {

dataplane::PackOptions packing_of(const FeedPublisherOptions& options, std::size_t capacity) {
    return {.capacity = capacity,
            .flush_at = options.flush_at,
            .delay = options.delay,
            .heartbeat = options.heartbeat,
            .end_every = options.end_every,
            .end_for = options.end_for};
}

}  // namespace

Result<net::MoldSession> FeedPublisher::Impl::check(const FeedPublisherOptions& options) {
    constexpr Duration kLeast = std::chrono::milliseconds(1);
    const bool times_are_good = options.delay >= Duration::zero() && options.heartbeat >= kLeast &&
                                options.end_every >= kLeast && options.end_for >= Duration::zero();
    if (!times_are_good) return failure(std::errc::invalid_argument);
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    const auto named =
        options.session.empty()
            ? net::MoldSession::started_at(
                  "", static_cast<std::uint64_t>(since_1970 / std::chrono::milliseconds(1)))
            : net::MoldSession::from(options.session);
    if (!named || named->name().empty()) return failure(std::errc::invalid_argument);
    return *named;
}

FeedPublisher::Impl::Impl(const FeedPublisherOptions& options, const net::MoldSession& session_,
                          std::size_t capacity, Instant now)
    : session(session_),
      packing(packing_of(options, capacity)),
      log(std::make_shared<dataplane::MessageLog>(session, options.history_messages,
                                                  options.history_octets)),
      source(packing, *log, now) {}

std::uint64_t FeedPublisher::Impl::in_flight() const noexcept {
    if (closed.load(std::memory_order_relaxed)) return 0;
    // In this order: what was completed had been published before.
    const std::uint64_t completed = source.completed();
    return log->end() - completed;
}

bool FeedPublisher::publish(std::span<const std::byte> message) noexcept {
    return publish(std::span(&message, 1)) == 1;
}

std::size_t FeedPublisher::publish(std::span<const std::span<const std::byte>> messages) noexcept {
    if (!impl_ || impl_->ended || impl_->closed.load(std::memory_order_relaxed)) return 0;
    auto& log = *impl_->log;
    const std::size_t longest = dataplane::FeedSource::longest_message(impl_->packing);
    std::size_t n = 0;
    while (n < messages.size() && messages[n].size() <= longest && log.append(messages[n])) ++n;
    if (n > 0) log.commit();
    return n;
}

void FeedPublisher::end_of_burst() noexcept {
    if (impl_) impl_->source.end_of_burst();
}

void FeedPublisher::end() noexcept {
    if (!impl_) return;
    impl_->ended = true;
    impl_->source.end();
}

std::size_t FeedPublisher::longest_message() const noexcept {
    return impl_ ? dataplane::FeedSource::longest_message(impl_->packing) : 0;
}
std::uint64_t FeedPublisher::next_sequence() const noexcept {
    return impl_ ? impl_->log->next_sequence() : 1;
}
std::string_view FeedPublisher::session() const noexcept {
    return impl_ ? impl_->session.name() : std::string_view();
}
std::uint64_t FeedPublisher::in_flight() const noexcept { return impl_ ? impl_->in_flight() : 0; }
bool FeedPublisher::finished() const noexcept {
    return !impl_ || impl_->closed.load(std::memory_order_relaxed) || impl_->source.finished();
}

}  // namespace joinleaf
