// Packs group records into the fewest version 3 reports that the MTU allows (RFC 9776 §4.2.17).
#pragma once

#include <igmp/actions.h>
#include <igmp/message.h>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace joinleaf::igmp {

/// Octets of group records that one report can hold: the MTU less IPv4 with Router Alert and the
/// report's head.
[[nodiscard]] constexpr std::size_t report_capacity(std::size_t mtu) {
    return mtu - (net::kIpv4HeaderSize + net::kIpv4RouterAlertSize) - kReportHeaderSize;
}

/// Fills reports one after the other and appends each to `out` once it is full, or when the packer
/// goes out of scope.
class ReportPacker {
public:
    ReportPacker(std::size_t mtu, Actions& out) : capacity_(report_capacity(mtu)), out_(out) {}
    ~ReportPacker() { finish(); }
    ReportPacker(const ReportPacker&) = delete;
    ReportPacker& operator=(const ReportPacker&) = delete;

    /// Whether one group's records go into the report that is open now.
    [[nodiscard]] bool has_room_for(std::span<const Record> records) const;
    /// Adds one group's records, together in one report if any report can hold them all; a record
    /// that no report can hold is split, or cut if it is IS_EX or TO_EX.
    void add(std::span<const Record> records);
    /// Lets the open report carry `ticket`.
    void carry(Ticket ticket) { tickets_.push_back(ticket); }
    /// Closes the open report, if any.
    void finish();

    [[nodiscard]] std::size_t reports() const { return reports_; }  ///< begun so far
    [[nodiscard]] std::size_t records() const { return records_; }  ///< added so far

private:
    void add_whole(RecordType type, GroupAddress group, std::span<const Ipv4Address> sources);
    void add_oversized(const Record& record);
    [[nodiscard]] std::size_t room() const;

    std::size_t capacity_;
    Actions& out_;
    std::vector<std::byte> message_;  // empty: no report is open
    std::vector<Ticket> tickets_;
    std::size_t records_in_message_ = 0;
    std::size_t reports_ = 0;
    std::size_t records_ = 0;
};

}  // namespace joinleaf::igmp
