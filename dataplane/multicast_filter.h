// Which multicast frames a port lets through: one reference per group and MAC, and the chain of
// what drivers can do (exact list, MAC table, allmulticast, promiscuous, nothing to do).
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/status.h>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace joinleaf::dataplane {

/// What a driver is asked. Each returns whether the driver did it.
class FilterDriver {
public:
    virtual ~FilterDriver() = default;
    /// False for a port that cannot keep anything away, whatever its driver answers.
    [[nodiscard]] virtual bool can_filter() const = 0;
    /// Passes exactly these multicast MACs (replaces what was set before).
    virtual bool set_exact_list(std::span<const MacAddress> macs) = 0;
    virtual bool add_mac(const MacAddress& mac) = 0;
    virtual bool remove_mac(const MacAddress& mac) = 0;
    virtual bool set_all_multicast() = 0;
    virtual bool set_promiscuous() = 0;
};

/// Reference counts per MAC, because 32 groups share one (ENC-13). Control thread.
class MulticastFilter {
public:
    /// Finds the first mode that the driver takes, and sets up 224.0.0.1 (ADR-1).
    explicit MulticastFilter(FilterDriver& driver);

    void add(GroupAddress group);
    void remove(GroupAddress group);
    /// Several at once cost one call to the driver.
    void add(std::span<const GroupAddress> groups);
    /// After a restart of the port: the driver may have forgotten everything.
    void reapply();

    [[nodiscard]] MulticastFilterMode mode() const { return mode_; }
    [[nodiscard]] std::size_t mac_count() const { return references_.size(); }

private:
    void apply_mode(MulticastFilterMode first);
    [[nodiscard]] bool try_mode(MulticastFilterMode mode);
    [[nodiscard]] std::vector<MacAddress> macs() const;

    FilterDriver& driver_;
    std::map<MacAddress, std::uint32_t> references_;
    MulticastFilterMode mode_ = MulticastFilterMode::everything;
};

}  // namespace joinleaf::dataplane
