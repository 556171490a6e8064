// The control thread: one thread that sleeps until there is something to do. It owns every
// session, membership and timer, so none of them needs a lock.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <joinleaf/clock.h>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>

namespace joinleaf::controlplane {

class ControlLoop {
public:
    ControlLoop();
    ~ControlLoop();
    ControlLoop(const ControlLoop&) = delete;
    ControlLoop& operator=(const ControlLoop&) = delete;

    /// For what lives on the control thread.
    [[nodiscard]] asio::io_context& io() { return io_; }

    /// Runs `work` on the control thread, later. Any thread.
    template <class Work>
    void post(Work&& work) {
        asio::post(io_, std::forward<Work>(work));
    }

    /// Runs `work` on the control thread and returns what it returns; throws what it throws. Any
    /// thread; on the control thread itself, and after stop(), it runs at once.
    template <class Work>
    std::invoke_result_t<Work> call(Work&& work) {
        if (is_inside()) return work();
        std::unique_lock gate(gate_);
        if (stopped_) return work();
        std::packaged_task<std::invoke_result_t<Work>()> task(std::forward<Work>(work));
        auto result = task.get_future();
        asio::post(io_, [&task] { task(); });
        gate.unlock();
        return result.get();
    }

    /// Control thread: calls `tick` again and again, `period` apart, until the loop stops.
    void every(Duration period, std::function<void()> tick);
    /// Control thread: no more ticks.
    void quiet();

    /// Runs what was posted and ends the thread, which has ended when this returns. Any thread but
    /// the control thread; idempotent.
    void stop();

    /// Whether this is the control thread.
    [[nodiscard]] bool is_inside() const { return io_.get_executor().running_in_this_thread(); }

private:
    void arm();

    mutable asio::io_context io_;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
    asio::steady_timer timer_;
    Duration period_{};
    std::function<void()> tick_;
    std::recursive_mutex
        gate_;  ///< between those who call and the one who stops; afterwards, among callers
    bool stopped_ = false;
    std::thread thread_;
};

}  // namespace joinleaf::controlplane
