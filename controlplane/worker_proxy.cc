#include <controlplane/worker_proxy.h>

#include <array>

namespace joinleaf::controlplane {

WorkerProxy::WorkerProxy(dataplane::Worker& worker)
    : worker_(worker), done_(dataplane::Worker::kCommandSlots) {
    for (std::size_t i = done_.size(); i > 0; --i) {
        free_tokens_.push_back(static_cast<std::uint32_t>(i - 1));
    }
}

WorkerProxy::~WorkerProxy() {
    for (const Waiting& waiting : waiting_) {
        if (const auto* frame = std::get_if<dataplane::TransmitFrame>(&waiting.what)) {
            dataplane::dpdk::free(frame->packet);
        }
    }
}

void WorkerProxy::send(const What& what, Done done) {
    waiting_.push_back({what, std::move(done)});
    pass_on();
}

void WorkerProxy::pass_on() {
    while (!waiting_.empty() && !free_tokens_.empty()) {
        const auto token = free_tokens_.back();
        // A token for each slot, so there is room whenever there is a token.
        if (!worker_.commands().push({.token = token, .what = waiting_.front().what})) return;
        free_tokens_.pop_back();
        done_[token] = std::move(waiting_.front().done);
        waiting_.pop_front();
        ++under_way_;
    }
}

void WorkerProxy::poll() {
    std::array<dataplane::Acknowledgement, 64> answers;
    while (const auto n = worker_.acknowledgements().pop(answers)) {
        for (std::size_t i = 0; i < n; ++i) {
            const auto token = static_cast<std::uint32_t>(answers[i].token);
            const Done done = std::move(done_[token]);
            done_[token] = nullptr;
            free_tokens_.push_back(token);
            --under_way_;
            if (done) done(answers[i]);
        }
    }
    pass_on();
}

}  // namespace joinleaf::controlplane
