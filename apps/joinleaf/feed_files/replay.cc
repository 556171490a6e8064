// The messages of a capture of a MoldUDP64 feed.
#include <apps/joinleaf/feed_files/replay.h>
#include <fmt/format.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

constexpr std::string_view kChoose = "name the one to replay, as in --input-flow";

/// The most frames that one call looks at: a capture may hold nothing for us for long.
constexpr std::size_t kMostFrames = 65536;

}  // namespace

void Flows::note(const CapturedDatagram& datagram) {
    if (flows_.size() >= kMost && !flows_.contains(datagram.to)) return;
    const auto packet = net::parse_mold(datagram.payload);
    if (!packet) return;
    const auto [flow, is_new] = flows_.try_emplace(datagram.to, Seen{packet->session});
    ++flow->second.packets;
}

std::optional<Flow> Flows::only() const {
    if (flows_.size() == 1) return flows_.begin()->first;
    const auto to_group = [](const auto& flow) { return flow.first.address.is_multicast(); };
    if (std::ranges::count_if(flows_, to_group) != 1) return {};
    return std::ranges::find_if(flows_, to_group)->first;
}

std::string Flows::to_string() const {
    std::string text;
    for (const auto& [flow, seen] : flows_) {
        text += fmt::format("{}{} (session {}, {} packets)", text.empty() ? "" : ", ",
                            flow.to_string(), seen.session.name(), seen.packets);
    }
    return text;
}

Taken FlowSurvey::read(std::span<const std::byte> window, bool ended,
                       std::vector<FeedMessage>& /*messages*/) {
    Taken taken;
    for (std::size_t frames = 0; frames < kMostFrames; ++frames) {
        auto step = capture_.read(window.subspan(taken.octets), ended);
        taken.octets += step.octets;
        taken.wanted = step.wanted;
        taken.wrong = std::move(step.wrong);
        if (!taken.wrong.empty() || step.wanted != 0) return taken;
        if (!step.frame) continue;
        const auto found = datagram_in(*step.frame);
        if (const auto* datagram = std::get_if<CapturedDatagram>(&found)) flows_.note(*datagram);
    }
    return taken;
}

ReplayLayout::ReplayLayout(std::optional<Flow> flow) : chosen_(flow.has_value()), flow_(flow) {}

Taken ReplayLayout::read(std::span<const std::byte> window, bool ended,
                         std::vector<FeedMessage>& messages) {
    line_.forget();
    Taken taken;
    for (std::size_t frames = 0; frames < kMostFrames && messages.size() < kEnough; ++frames) {
        auto step = capture_.read(window.subspan(taken.octets), ended);
        if (step.frame) {
            taken.wrong = take(*step.frame);
            if (!taken.wrong.empty()) return taken;
        }
        taken.octets += step.octets;
        taken.wanted = step.wanted;
        taken.wrong = std::move(step.wrong);
        const bool is_over = !taken.wrong.empty() || (ended && taken.octets == window.size());
        if (is_over && !std::exchange(ended_, true)) line_.end();
        append_runs(messages);
        if (is_over) {
            if (taken.wrong.empty() && counts().line.packets == 0) taken.wrong = nothing_found();
            return taken;
        }
        if (step.wanted != 0) return taken;
    }
    taken.wanted = 0;
    return taken;
}

void ReplayLayout::append_runs(std::vector<FeedMessage>& messages) {
    InOrder::Run run;
    while (line_.next(run)) {
        for (const auto message : run.messages) messages.push_back({message, run.at});
    }
}

std::string ReplayLayout::take(const CapturedFrame& frame) {
    ++counts_.frames;
    const auto found = datagram_in(frame);
    const auto* datagram = std::get_if<CapturedDatagram>(&found);
    if (datagram == nullptr) {
        ++counts_.left_out[static_cast<std::size_t>(std::get<NoDatagram>(found))];
        return {};
    }
    std::string wrong;
    if (!is_ours(*datagram, wrong)) {
        ++counts_.other_flows;
        return wrong;
    }
    const auto packet = net::parse_mold(datagram->payload);
    if (packet) {
        line_.arrive(*packet, frame.at);
    } else {
        ++counts_.not_mold;
    }
    return {};
}

bool ReplayLayout::is_ours(const CapturedDatagram& datagram, std::string& wrong) {
    if (flow_ == datagram.to) return true;
    if (chosen_ && line_.counts().packets != 0) return false;
    seen_.note(datagram);
    if (chosen_ || !datagram.to.address.is_multicast()) return false;
    if (!net::parse_mold(datagram.payload)) return false;
    if (flow_) {
        wrong = fmt::format("beside {} there is {}; {} {}", flow_->to_string(), seen_.to_string(),
                            kChoose, flow_->to_string());
        return false;
    }
    flow_ = datagram.to;
    seen_ = {};
    return true;
}

std::string ReplayLayout::nothing_found() const {
    std::string found = flow_ ? fmt::format("no MoldUDP64 packet to {}", flow_->to_string())
                              : std::string("no MoldUDP64 packet to a multicast group");
    if (!seen_.empty()) {
        return fmt::format("the capture holds {}, but there is {}; {} IP:PORT", found,
                           seen_.to_string(), kChoose);
    }
    return fmt::format(
        "the capture holds {}: of {} frames {} were UDP, {} of these to another address or port, "
        "{} were cut short and {} of a kind that is not read; capture all of each frame "
        "(tcpdump -s 0) where the feed is heard",
        found, counts_.frames,
        counts_.other_flows + counts_.not_mold + left_out(NoDatagram::cut_short) +
            left_out(NoDatagram::fragment),
        counts_.other_flows, left_out(NoDatagram::cut_short), left_out(NoDatagram::unknown_link));
}

std::vector<std::string> ReplayLayout::take_notes() {
    std::vector<std::string> notes;
    for (const auto& begin : line_.take_begins()) {
        if (begin.first == 1) continue;
        notes.push_back(
            fmt::format("the capture has session {} from message {} on; it is sent as a "
                        "feed of its own, numbered anew",
                        begin.session.name(), begin.first));
    }
    for (const auto& gap : line_.take_gaps()) {
        notes.push_back(fmt::format(
            "the capture lacks {} messages of session {} from {} on; what follows is sent without "
            "a gap, numbered anew",
            gap.count, gap.session.name(), gap.first));
    }
    return notes;
}

ReplayCounts ReplayLayout::counts() const {
    ReplayCounts counts = counts_;
    counts.line = line_.counts();
    return counts;
}

}  // namespace joinleaf::app
