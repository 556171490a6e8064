#include <dataplane/multicast_filter.h>

#include <algorithm>

namespace joinleaf::dataplane {

MulticastFilter::MulticastFilter(FilterDriver& driver) : driver_(driver) {
    references_[MacAddress::of_group(GroupAddress::of(224, 0, 0, 1))] = 1;
    apply_mode(driver_.can_filter() ? MulticastFilterMode::exact_list
                                    : MulticastFilterMode::everything);
}

std::vector<MacAddress> MulticastFilter::macs() const {
    std::vector<MacAddress> all;
    all.reserve(references_.size());
    for (const auto& [mac, count] : references_) all.push_back(mac);
    return all;
}

bool MulticastFilter::try_mode(MulticastFilterMode mode) {
    switch (mode) {
        case MulticastFilterMode::exact_list:
            return driver_.set_exact_list(macs());
        case MulticastFilterMode::mac_table: {
            const auto wanted = macs();
            for (std::size_t i = 0; i < wanted.size(); ++i) {
                if (driver_.add_mac(wanted[i])) continue;
                for (std::size_t j = 0; j < i; ++j) driver_.remove_mac(wanted[j]);
                return false;
            }
            return true;
        }
        case MulticastFilterMode::all_multicast:
            return driver_.set_all_multicast();
        case MulticastFilterMode::promiscuous:
            return driver_.set_promiscuous();
        case MulticastFilterMode::everything:
            return true;
    }
    return true;
}

// A table that is full moves the port down the chain; it never moves up again, so that a port at
// its limit does not flap. The last mode always holds.
void MulticastFilter::apply_mode(MulticastFilterMode first) {
    mode_ = first;
    while (!try_mode(mode_)) {
        mode_ = static_cast<MulticastFilterMode>(static_cast<std::uint8_t>(mode_) + 1);
    }
}

void MulticastFilter::add(GroupAddress group) { add(std::span(&group, 1)); }

void MulticastFilter::add(std::span<const GroupAddress> groups) {
    std::vector<MacAddress> fresh;
    for (const auto group : groups) {
        const auto mac = MacAddress::of_group(group);
        if (++references_[mac] == 1) fresh.push_back(mac);
    }
    if (fresh.empty()) return;
    if (mode_ == MulticastFilterMode::exact_list) {
        apply_mode(MulticastFilterMode::exact_list);
    } else if (mode_ == MulticastFilterMode::mac_table) {
        const bool all = std::all_of(fresh.begin(), fresh.end(),
                                     [&](const MacAddress& mac) { return driver_.add_mac(mac); });
        if (!all) apply_mode(MulticastFilterMode::all_multicast);
    }
}

void MulticastFilter::remove(GroupAddress group) {
    const auto mac = MacAddress::of_group(group);
    const auto found = references_.find(mac);
    if (found == references_.end() || --found->second != 0) return;
    references_.erase(found);
    if (mode_ == MulticastFilterMode::exact_list) {
        apply_mode(MulticastFilterMode::exact_list);
    } else if (mode_ == MulticastFilterMode::mac_table) {
        driver_.remove_mac(mac);
    }
}

void MulticastFilter::reapply() { apply_mode(mode_); }

}  // namespace joinleaf::dataplane
