// What a FeedPublisher and the sockets that send its feed share: the log, and what the workers read
// it through.
#pragma once

#include <dataplane/feed_source.h>
#include <dataplane/message_log.h>

#include <joinleaf/error.h>
#include <joinleaf/feed_publisher.h>
#include <atomic>
#include <memory>

namespace joinleaf {

/// Held by the application's handle, and by each socket until its worker has let go of it.
class FeedPublisher::Impl {
public:
    /// `capacity`: payload octets of a datagram. Errors: throws std::system_error (no memory).
    Impl(const FeedPublisherOptions& options, const net::MoldSession& session, std::size_t capacity,
         Instant now);

    /// The session's name that the options ask for. Errors: invalid_argument, also for what else
    /// they say.
    [[nodiscard]] static Result<net::MoldSession> check(const FeedPublisherOptions& options);

    /// Any thread.
    [[nodiscard]] std::uint64_t in_flight() const noexcept;

    const net::MoldSession session;
    const dataplane::PackOptions packing;
    /// Also for whoever answers requests for what was lost.
    const std::shared_ptr<dataplane::MessageLog> log;
    dataplane::FeedSource source;
    /// The socket that sends has closed: nothing is in flight, and nothing is taken any more.
    std::atomic<bool> closed{false};
    /// The application's.
    bool ended = false;
};

}  // namespace joinleaf
