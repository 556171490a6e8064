#include <dataplane/lane.h>

namespace joinleaf::dataplane {

bool Subscriptions::add(Subscription& subscription) noexcept {
    subscription.next = table_.find(subscription.key);
    return table_.insert(subscription.key, &subscription);
}

void Subscriptions::remove(Subscription& subscription) noexcept {
    Subscription* const head = table_.find(subscription.key);
    if (head == &subscription) {
        if (subscription.next == nullptr) {
            table_.erase(subscription.key);
        } else {
            // The key is there, so there is room for it.
            static_cast<void>(table_.insert(subscription.key, subscription.next));
        }
    } else if (head != nullptr) {
        Subscription* before = head;
        while (before->next != nullptr && before->next != &subscription) before = before->next;
        if (before->next == nullptr) return;
        before->next = subscription.next;
    }
    subscription.next = nullptr;
}

Lane::Lane(dpdk::Port& port_, dpdk::Mempool& transmit_pool_, const Identity& identity_,
           std::size_t max_subscriptions, std::uint16_t queue_)
    : port(port_),
      queue(queue_),
      transmit_pool(transmit_pool_),
      identity(identity_),
      subscriptions(max_subscriptions) {
    outlets.reserve(kMaxOutlets);
}

void Lane::add_outlet(Outlet& outlet) noexcept {
    outlets.push_back(&outlet);
    idle_share = transmit_pool.size() / 2 / outlets.size();
}

void Lane::remove_outlet(const Outlet& outlet) noexcept {
    std::erase(outlets, &outlet);
    if (!outlets.empty()) idle_share = transmit_pool.size() / 2 / outlets.size();
}

Lane::~Lane() {
    dpdk::free_all({spare.data(), spare_count});
    for (std::size_t i = 0; i < control_count; ++i) dpdk::free(control[i].packet);
}

}  // namespace joinleaf::dataplane
