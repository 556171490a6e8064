#include <controlplane/control_loop.h>
#include <pthread.h>

namespace joinleaf::controlplane {

ControlLoop::ControlLoop() : work_(asio::make_work_guard(io_)), timer_(io_) {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "jl-control");
        io_.run();
    });
}

ControlLoop::~ControlLoop() { stop(); }

void ControlLoop::stop() {
    // Held to the end: a call that comes meanwhile runs on its own thread, and must not do so
    // beside what this one still has to do.
    const std::lock_guard gate(gate_);
    if (stopped_) return;
    stopped_ = true;
    asio::post(io_, [this] { quiet(); });
    work_.reset();
    thread_.join();
}

void ControlLoop::every(Duration period, std::function<void()> tick) {
    period_ = period;
    tick_ = std::move(tick);
    arm();
}

void ControlLoop::quiet() {
    tick_ = nullptr;
    timer_.cancel();
}

void ControlLoop::arm() {
    timer_.expires_after(period_);
    timer_.async_wait([this](const std::error_code& error) {
        if (error || !tick_) return;
        tick_();
        if (tick_) arm();
    });
}

}  // namespace joinleaf::controlplane
