// A port, or a queue of it, as one worker polls it: its tables, its outlets, its counters.
#pragma once

#include <dataplane/classify.h>
#include <dataplane/counters.h>
#include <dataplane/deliver.h>
#include <dataplane/dpdk/mempool.h>
#include <dataplane/dpdk/port.h>
#include <dataplane/dpdk/send_time.h>
#include <dataplane/group_table.h>
#include <dataplane/outlet.h>
#include <dataplane/recorder.h>
#include <dataplane/subscription.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace joinleaf::dataplane {

/// Who subscribed to what on one lane: the look-up table, each of whose values is the head of a
/// chain of subscriptions. The worker's alone; nothing is allocated after construction.
class Subscriptions {
public:
    explicit Subscriptions(std::size_t capacity) : table_(capacity) {}

    /// Returns false when the table is full.
    [[nodiscard]] bool add(Subscription& subscription) noexcept;
    void remove(Subscription& subscription) noexcept;

    /// The head of the chain; null where nobody subscribed.
    [[nodiscard]] Subscription* find(const GroupKey& key) const noexcept {
        return table_.find(key);
    }
    /// For a burst: what to look for is prefetched for all before the first is looked up.
    [[nodiscard]] const GroupTable& table() const noexcept { return table_; }

private:
    GroupTable table_;
};

/// A control frame on its way out.
struct OutgoingControl {
    dpdk::Packet* packet;
    std::uint64_t token;
};

/// What a burst is on its way through receive(): kept with the lane, so that it stays in the cache
/// and is not cleared for every burst.
struct ReceiveScratch {
    std::array<Arrival, dpdk::kBurst> arrivals;  ///< the data among the frames ...
    std::array<GroupKey, dpdk::kBurst> keys;     ///< ... what to look up for each ...
    std::array<std::uint32_t, dpdk::kBurst> hashes;
    std::array<Subscription*, dpdk::kBurst> chains;  ///< ... and who wants it
};

/// A port as one worker polls it; or one queue of the port, where it has several.
struct Lane {
    Lane(dpdk::Port& port_, dpdk::Mempool& transmit_pool_, const Identity& identity_,
         std::size_t max_subscriptions, std::uint16_t queue_ = 0);
    ~Lane();
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    void add_outlet(Outlet& outlet) noexcept;
    void remove_outlet(const Outlet& outlet) noexcept;

    static constexpr std::size_t kMaxOutlets = 16384;
    /// So many are looked after in a turn, so that thousands of them do not keep the port's
    /// receive queue waiting.
    static constexpr std::size_t kOutletsPerTurn = 64;
    /// Each of them sends up to so many, a microsecond's worth: what a turn costs besides is
    /// shared.
    static constexpr std::uint32_t kBurstsPerOutlet = 4;
    /// Nor does one turn send many more than this, when many of them send to many destinations.
    static constexpr std::uint32_t kFramesPerTurn = 4096;
    static constexpr std::size_t kControlSlots = 64;

    dpdk::Port& port;
    const std::uint16_t queue;  ///< of the port
    dpdk::Mempool& transmit_pool;
    Identity identity;
    Subscriptions subscriptions;
    std::vector<Outlet*> outlets;
    std::size_t next_outlet = 0;  ///< where the next turn goes on
    /// Of the transmit pool, what may lie unused with each sender: of all of them at most half.
    std::size_t idle_share = 0;
    /// Buffers that an inline source left empty, for the next one.
    std::array<dpdk::Packet*, dpdk::kBurst> spare{};
    std::array<SendBuffer, dpdk::kBurst> offered{};  ///< those, as a source is given them
    std::uint32_t spare_count = 0;
    std::uint32_t spare_capacity = 0;  ///< of all in `offered`
    /// Set where the port sends each frame at a time of its own.
    std::optional<dpdk::SendTiming> timing;
    std::array<Instant, dpdk::kBurst> due{};  ///< of the payloads that were taken last
    std::array<OutgoingControl, kControlSlots> control{};
    std::size_t control_count = 0;
    /// Since when the port has taken nothing although control frames, or data, waited; zero: it
    /// takes.
    Instant control_stuck_since{};
    Instant data_stuck_since{};
    /// While both wait for room, control frames and data get it by turns: this says whose it is.
    bool data_is_next = false;
    Tally tally;
    Recorder recorder;
    Delivery delivery{tally, recorder};
    ReceiveScratch scratch;
    PublishedTally published;
    std::atomic<bool> link_up{true};  ///< told by the control thread
};

}  // namespace joinleaf::dataplane
