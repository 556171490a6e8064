// Sending again what leaves have lost, over the kernel's UDP: the limits of a repair server, and
// one that a leaf runs for others.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <joinleaf/clock.h>
#include <joinleaf/error.h>
#include <joinleaf/feed_messages.h>
#include <joinleaf/status.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace JOINLEAF_API joinleaf {

/// How much of a repair server leaves may have. Leaves are told apart by address alone: ports cost
/// nothing, so that whoever asks from many would have many shares.
struct RepairLimits {
    /// The most octets of an answer's payload; what an MTU of 1500 leaves. A publisher's own server
    /// sends as much as the feed's datagrams hold, if that is more.
    std::size_t capacity = 1472;
    /// Octets of answers per second, and at once; to all leaves, and to each. A leaf that catches
    /// up must be served faster than the feed goes on: 12.5 million octets are half a million
    /// messages of an ordinary length. Four that do are a third of what the control thread can
    /// send, and less than half of a management network of 1 Gbit/s.
    std::uint64_t octets_per_second = 50'000'000;
    std::uint64_t burst_octets = 1024 * 1024;
    std::uint64_t leaf_octets_per_second = 12'500'000;
    std::uint64_t leaf_burst_octets = 256 * 1024;
    /// Whoever asks again for what was answered so short a time ago has not had time to hear it.
    Duration duplicate_within = std::chrono::milliseconds(1);
    /// Refusals per second that a leaf may have, and at once; forty times as many where a limit is
    /// all that was in the way. Beyond, it is in quarantine for a time: it is not answered at all.
    std::uint64_t refusals_per_second = 50;
    std::uint64_t burst_refusals = 500;
    Duration quarantine = std::chrono::seconds(10);
    /// Leaves that are kept count of. One more takes the place of the one that has asked for
    /// nothing for the longest time.
    std::size_t max_leaves = 16384;
};

/// A server that answers MoldUDP64 requests, one packet each, from a kernel UDP socket on the
/// control thread. Where it is a root's, a leaf that asks is known by the address that its
/// admission connection comes from, else by its data address.
struct RepairServerOptions {
    /// An address of this host, on the management network, and a port that is free. Requests come
    /// here, and answers come from here.
    UdpEndpoint endpoint;
    RepairLimits limits;
};

struct RepairHostOptions {
    RepairServerOptions server;
    /// The last messages are kept, so many at most, in so many octets of memory, each with two more
    /// for its length. Octets are rounded up to a power of two.
    std::size_t history_messages = std::size_t{1} << 20;
    std::size_t history_octets = std::size_t{1} << 26;
};

/// A repair server that is not the root's: it keeps what a leaf has received, and sends it again to
/// others. From Runtime::open_repair_host(). begin_session() and append() belong to one application
/// thread at a time, and neither lock, allocate nor enter the kernel; close() and status() are any
/// thread's. Move only; the destructor closes.
class RepairHost {
public:
    RepairHost() = default;
    RepairHost(RepairHost&&) noexcept = default;
    RepairHost& operator=(RepairHost&&) noexcept = default;
    ~RepairHost() = default;

    /// Forgets all: what is appended from now on is of that session (FeedEvent::Kind::session).
    /// Before the first there is nothing to be had. Error: invalid_argument, not one to ten
    /// printable ASCII characters.
    Result<void> begin_session(std::string_view session) noexcept;
    /// Keeps messages from sequence `first` on, in order (FeedEvent::Kind::messages). Whoever
    /// leaves a gap forgets what is before it; what is known already, or late, is passed over.
    void append(std::uint64_t first, FeedMessages messages) noexcept;

    /// Also in Status::repairs, until it is closed. None: this was not opened.
    [[nodiscard]] std::optional<RepairStatus> status() const;
    /// No more answers, and the port is free. Idempotent.
    void close();

    class Impl;
    explicit RepairHost(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace joinleaf
