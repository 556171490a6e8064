// What Receiver and Sender handles hold: their queue, and what must live as long as it.
#pragma once

#include <dataplane/socket_queue.h>

#include <joinleaf/feed_status.h>
#include <joinleaf/receiver.h>
#include <joinleaf/sender.h>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace joinleaf {

/// Asks the FeedReceiver that takes from a receiver how it does, as long as there is one.
class FeedWatch {
public:
    /// Application. `status` may be called until end() returns.
    void begin(std::function<FeedStatus()> status) {
        const std::lock_guard lock(mutex_);
        status_ = std::move(status);
    }
    void end() {
        const std::lock_guard lock(mutex_);
        status_ = nullptr;
    }
    /// Control thread.
    [[nodiscard]] std::optional<FeedStatus> status() const {
        const std::lock_guard lock(mutex_);
        if (!status_) return std::nullopt;
        return status_();
    }

private:
    mutable std::mutex mutex_;
    std::function<FeedStatus()> status_;
};

class Receiver::Impl {
public:
    Impl(const ReceiverOptions& options, std::uint64_t of_runtime, std::shared_ptr<void> buffers)
        : buffers_(std::move(buffers)),
          queue(options.capacity),
          runtime(of_runtime),
          port_index(options.port),
          port_queue(options.queue) {}

private:
    std::shared_ptr<void> buffers_;  ///< first in, last out: the queue frees into these pools

public:
    dataplane::ReceiveQueue queue;
    std::uint64_t runtime;  ///< whose worker fills it
    std::size_t port_index;
    std::size_t port_queue;
    FeedWatch feed;
};

class Sender::Impl {
public:
    Impl(std::shared_ptr<dataplane::SendQueue> queue_, std::shared_ptr<void> buffers)
        : buffers_(std::move(buffers)), queue(std::move(queue_)) {}

private:
    std::shared_ptr<void> buffers_;

public:
    std::shared_ptr<dataplane::SendQueue> queue;
};

}  // namespace joinleaf
