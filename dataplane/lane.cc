#include <dataplane/lane.h>

#include <algorithm>

namespace joinleaf::dataplane {

Subscriptions::Subscriptions(std::size_t capacity) : table_(capacity), heads_(capacity) {
    free_.reserve(capacity);
    for (std::size_t i = capacity; i > 0; --i) free_.push_back(static_cast<std::uint32_t>(i - 1));
}

bool Subscriptions::add(Subscription& subscription) noexcept {
    const auto found = table_.find(subscription.key);
    if (found != GroupTable::kAbsent) {
        subscription.next = heads_[found];
        heads_[found] = &subscription;
        return true;
    }
    if (free_.empty()) return false;
    const auto slot = free_.back();
    if (!table_.insert(subscription.key, slot)) return false;
    free_.pop_back();
    subscription.next = nullptr;
    heads_[slot] = &subscription;
    return true;
}

void Subscriptions::remove(Subscription& subscription) noexcept {
    const auto found = table_.find(subscription.key);
    if (found == GroupTable::kAbsent) return;
    for (Subscription** link = &heads_[found]; *link != nullptr; link = &(*link)->next) {
        if (*link != &subscription) continue;
        *link = subscription.next;
        subscription.next = nullptr;
        break;
    }
    if (heads_[found] == nullptr) {
        table_.erase(subscription.key);
        free_.push_back(found);
    }
}

void Subscriptions::find_burst(std::span<const GroupKey> keys,
                               std::span<Subscription*> out) const noexcept {
    std::array<std::uint32_t, dpdk::kBurst> slots;
    table_.find_burst(keys, slots);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        out[i] = slots[i] == GroupTable::kAbsent ? nullptr : heads_[slots[i]];
    }
}

Subscription* Subscriptions::find(const GroupKey& key) const noexcept {
    const auto found = table_.find(key);
    return found == GroupTable::kAbsent ? nullptr : heads_[found];
}

Lane::Lane(dpdk::Port& port_, dpdk::Mempool& transmit_pool_, const Identity& identity_,
           std::size_t max_subscriptions)
    : port(port_),
      transmit_pool(transmit_pool_),
      identity(identity_),
      subscriptions(max_subscriptions) {
    outlets.reserve(kMaxOutlets);
}

Lane::~Lane() {
    dpdk::free_all({spare.data(), spare_count});
    for (std::size_t i = 0; i < control_count; ++i) dpdk::free(control[i].packet);
}

}  // namespace joinleaf::dataplane
