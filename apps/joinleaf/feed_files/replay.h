// The messages of a capture of a MoldUDP64 feed: one line of it, in order. Pure.
#pragma once

#include <apps/joinleaf/feed_files/captured_datagram.h>
#include <apps/joinleaf/feed_files/in_order.h>

#include <array>
#include <map>

namespace joinleaf::app {

/// What has been read of a capture.
struct ReplayCounts {
    std::uint64_t frames = 0;
    std::array<std::uint64_t, kNoDatagramCount> left_out{};
    std::uint64_t other_flows = 0;  ///< datagrams that go elsewhere
    std::uint64_t not_mold = 0;     ///< datagrams of the flow that are no MoldUDP64 packets
    InOrderCounts line;
};

/// The flows of a capture that carry MoldUDP64.
class Flows {
public:
    static constexpr std::size_t kMost = 64;

    struct Seen {
        net::MoldSession session;  ///< the first
        std::uint64_t packets = 0;
    };

    /// A datagram, whatever it is.
    void note(const CapturedDatagram& datagram);
    /// The one that is meant when none was named: the only one, or the only one to a multicast
    /// group, since answers to requests go by unicast. None: there is not exactly one.
    [[nodiscard]] std::optional<Flow> only() const;
    [[nodiscard]] bool empty() const noexcept { return flows_.empty(); }
    /// A clause, as in "239.1.1.1:5000 (session A, 12 packets), ...".
    [[nodiscard]] std::string to_string() const;

private:
    std::map<Flow, Seen> flows_;
};

/// Reads all of a capture for the flows that are in it.
class FlowSurvey final : public Layout {
public:
    Taken read(std::span<const std::byte> window, bool ended,
               std::vector<FeedMessage>& messages) override;
    [[nodiscard]] const Flows& flows() const noexcept { return flows_; }

private:
    CaptureReader capture_;
    Flows flows_;
};

/// Messages come as they were captured, sequences and sessions left aside: a publisher numbers them
/// anew.
class ReplayLayout final : public Layout {
public:
    /// `flow`: none: the first to a multicast group; another that comes after it is an error.
    explicit ReplayLayout(std::optional<Flow> flow);

    Taken read(std::span<const std::byte> window, bool ended,
               std::vector<FeedMessage>& messages) override;
    [[nodiscard]] std::vector<std::string> take_notes() override;

    [[nodiscard]] ReplayCounts counts() const;

private:
    /// Returns what is wrong, or nothing.
    std::string take(const CapturedFrame& frame);
    /// Whether the datagram is of the flow to replay. Sets `wrong` where that cannot be said.
    [[nodiscard]] bool is_ours(const CapturedDatagram& datagram, std::string& wrong);
    void append_runs(std::vector<FeedMessage>& messages);
    /// At the end of the capture: what to say when nothing was found.
    [[nodiscard]] std::string nothing_found() const;
    [[nodiscard]] std::uint64_t left_out(NoDatagram why) const noexcept {
        return counts_.left_out[static_cast<std::size_t>(why)];
    }

    bool chosen_;  ///< by a person
    std::optional<Flow> flow_;
    CaptureReader capture_;
    Flows seen_;
    InOrder line_;
    ReplayCounts counts_;
    bool ended_ = false;
};

}  // namespace joinleaf::app
