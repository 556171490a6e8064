// What of a status is told of sequenced feeds: those received, their lines, and repair servers.
#include <controlplane/status_fields.h>

#include <string>

namespace joinleaf::controlplane {
namespace {

using namespace status_fields;

std::string feed_label(const FeedStatus& feed) {
    return feed.lines.empty()
               ? std::string()
               : std::to_string(static_cast<std::uint32_t>(feed.lines.front().socket));
}
/// Within a nanosecond for each that was recorded.
Value sum_of(const Histogram& times) {
    return number(times.count() * in_nanoseconds(times.mean()));
}
constexpr auto kFeedFields = std::to_array<Field<FeedStatus>>({
    {{"socket", Kind::label, "The first line's socket"},
     [](const FeedStatus& f) { return text(feed_label(f)); }},
    {{"session", Kind::text, "The session that is followed"},
     [](const FeedStatus& f) { return text(f.session); }},
    {{"next_sequence", Kind::gauge, "Of the next message to be delivered"},
     [](const FeedStatus& f) { return number(f.next_sequence); }},
    {{"known_end", Kind::gauge, "The highest sequence known to exist, plus one"},
     [](const FeedStatus& f) { return number(f.known_end); }},
    {{"held_packets", Kind::gauge, "Packets that wait for those before them"},
     [](const FeedStatus& f) { return number(f.held); }},
    {{"delivered_messages", Kind::counter, "Messages in order"},
     [](const FeedStatus& f) { return number(f.delivered); }},
    {{"late_messages", Kind::counter, "Messages that came after their gap was told"},
     [](const FeedStatus& f) { return number(f.delivered_late); }},
    {{"repaired_messages", Kind::counter, "Messages that a repair server brought"},
     [](const FeedStatus& f) { return number(f.repaired.won); }},
    {{"gaps", Kind::counter, "Gaps that were told"},
     [](const FeedStatus& f) { return number(f.gaps); }},
    {{"lost_messages", Kind::counter, "Messages in those: lost on the wire, by all lines"},
     [](const FeedStatus& f) { return number(f.lost); }},
    {{"requests", Kind::counter, "Requests for what was missing"},
     [](const FeedStatus& f) { return number(f.recovery.requests); }},
    {{"latency_p50", Kind::gauge, "From the port to the application: the median",
      Unit::nanoseconds},
     [](const FeedStatus& f) { return nanoseconds(f.latency.percentile(0.5)); }},
    {{"latency_p99", Kind::gauge, "What 99 % of the packets did not exceed", Unit::nanoseconds},
     [](const FeedStatus& f) { return nanoseconds(f.latency.percentile(0.99)); }},
    {{"latency_p999", Kind::gauge, "What 99.9 % of the packets did not exceed", Unit::nanoseconds},
     [](const FeedStatus& f) { return nanoseconds(f.latency.percentile(0.999)); }},
    {{"latency_max", Kind::gauge, "The longest", Unit::nanoseconds},
     [](const FeedStatus& f) { return nanoseconds(f.latency.max()); }},
    {{"latency_count", Kind::counter, "Packets whose latency that is"},
     [](const FeedStatus& f) { return number(f.latency.count()); }},
    {{"latency_sum", Kind::counter, "Of them all", Unit::nanoseconds},
     [](const FeedStatus& f) { return sum_of(f.latency); }},
});

struct LineItem {
    const FeedStatus& feed;
    std::size_t index;

    [[nodiscard]] const FeedLineStatus& line() const { return feed.lines[index]; }
};
constexpr auto kLineFields = std::to_array<Field<LineItem>>({
    {{"socket", Kind::label, "The first line's socket"},
     [](const LineItem& l) { return text(feed_label(l.feed)); }},
    {{"line", Kind::label, "0, 1 ..."},
     [](const LineItem& l) { return text(std::to_string(l.index)); }},
    {{"packets", Kind::counter, "Packets of the feed's session"},
     [](const LineItem& l) { return number(l.line().counters.packets); }},
    {{"received_messages", Kind::counter, "Messages, every copy"},
     [](const LineItem& l) { return number(l.line().counters.received); }},
    {{"won_messages", Kind::counter, "Messages whose first copy came by this line"},
     [](const LineItem& l) { return number(l.line().counters.won); }},
    {{"duplicate_messages", Kind::counter, "Messages of packets that had nothing new"},
     [](const LineItem& l) { return number(l.line().counters.duplicates); }},
    {{"lost_messages", Kind::counter, "Messages that this line has passed over: lost on the wire"},
     [](const LineItem& l) { return number(l.line().counters.lost); }},
    {{"reordered_messages", Kind::counter, "Messages that came after later ones"},
     [](const LineItem& l) { return number(l.line().counters.reordered); }},
    {{"skew_p50", Kind::gauge, "Behind the first copy: the median", Unit::nanoseconds},
     [](const LineItem& l) { return nanoseconds(l.line().skew.percentile(0.5)); }},
    {{"skew_p99", Kind::gauge, "Behind the first copy: what 99 % did not exceed",
      Unit::nanoseconds},
     [](const LineItem& l) { return nanoseconds(l.line().skew.percentile(0.99)); }},
    {{"skew_count", Kind::counter, "Packets whose skew that is"},
     [](const LineItem& l) { return number(l.line().skew.count()); }},
    {{"skew_sum", Kind::counter, "Of them all", Unit::nanoseconds},
     [](const LineItem& l) { return sum_of(l.line().skew); }},
});

constexpr auto kRepairFields = std::to_array<Field<RepairStatus>>({
    {{"endpoint", Kind::label, "Where it answers, by UDP"},
     [](const RepairStatus& r) { return text(r.endpoint.to_string()); }},
    {{"session", Kind::text, "Of the feed that is kept"},
     [](const RepairStatus& r) { return text(r.session); }},
    {{"history_begins", Kind::gauge, "Sequence of the oldest message that can be had"},
     [](const RepairStatus& r) { return number(r.history_begins); }},
    {{"next_sequence", Kind::gauge, "What follows the newest"},
     [](const RepairStatus& r) { return number(r.next_sequence); }},
    {{"sent_messages", Kind::counter, "Messages that were sent again"},
     [](const RepairStatus& r) { return number(r.messages); }},
    {{"sent_bytes", Kind::counter, "Octets of the answers"},
     [](const RepairStatus& r) { return number(r.octets); }},
    {{"unsent_answers", Kind::counter, "Answers that the kernel did not take"},
     [](const RepairStatus& r) { return number(r.unsent); }},
    {{"leaves", Kind::gauge, "Leaves that count is kept of"},
     [](const RepairStatus& r) { return number(r.leaves); }},
    {{"quarantines", Kind::counter, "Times that a leaf was put into quarantine"},
     [](const RepairStatus& r) { return number(r.quarantines); }},
});

constexpr auto kRequestFields = std::to_array<Field<CountItem>>({
    {{"endpoint", Kind::label, "Where the repair server answers"}, of_what},
    {{"outcome", Kind::label, "What became of them"}, what},
    {{"requests", Kind::counter, "Requests, by what became of them"}, count},
});

}  // namespace

Table feed_table(const Status& status) {
    return filled({.name = "feeds",
                   .help = "Sequenced feeds that are received: messages, gaps, repairs, latency",
                   .prefix = "feed"},
                  kFeedFields, status.feeds);
}

Table line_table(const Status& status) {
    std::vector<LineItem> items;
    for (const auto& feed : status.feeds) {
        for (std::size_t i = 0; i < feed.lines.size(); ++i) items.push_back({feed, i});
    }
    return filled({.name = "feed_lines",
                   .help = "Lines of received feeds: messages, losses, how far behind",
                   .prefix = "feed_line"},
                  kLineFields, items);
}

Table repair_table(const Status& status) {
    return filled({.name = "repairs",
                   .help = "Repair servers: what they keep, and what they have sent again",
                   .prefix = "repair"},
                  kRepairFields, status.repairs);
}

Table request_table(const Status& status) {
    std::vector<CountItem> items;
    for (const auto& repair : status.repairs) {
        for (std::size_t i = 0; i < kRepairOutcomeCount; ++i) {
            items.push_back({repair.endpoint.to_string(), name(static_cast<RepairOutcome>(i)),
                             repair.requests[i]});
        }
    }
    return filled({.name = "repair_requests",
                   .help = "Requests to repair servers, by what became of them",
                   .prefix = "repair",
                   .is_wide = true},
                  kRequestFields, items);
}

}  // namespace joinleaf::controlplane
