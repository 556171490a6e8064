// What the network has yet to be told of one group's changes (RFC 9776 §5.1). Pure.
#pragma once

#include <igmp/message.h>
#include <joinleaf/source_filter.h>
#include <cstdint>
#include <vector>

namespace joinleaf::igmp {

/// The retransmission state of one group. Each change is owed to the network [Robustness Variable]
/// times; what a report then says follows from the group's state at that moment, so that changes in
/// quick succession merge of themselves.
class Retransmission {
public:
    /// The group's state has become `after`. Restarts the series (SCR-9 to SCR-12).
    void changed(const SourceFilter& before, const SourceFilter& after, std::uint8_t robustness);

    /// The records of the next report: a filter-mode change while one is owed, else the sources
    /// owed, as they stand in `current` (SCR-13, SCR-14).
    [[nodiscard]] std::vector<Record> records(GroupAddress group,
                                              const SourceFilter& current) const;

    /// A report with these records has been sent.
    void sent();

    /// How many reports are still owed.
    [[nodiscard]] unsigned left() const;
    [[nodiscard]] bool done() const { return left() == 0; }

private:
    struct Owed {
        Ipv4Address source;
        std::uint8_t left;
    };
    std::vector<Owed> sources_;  // sorted by source
    std::uint8_t mode_left_ = 0;
};

}  // namespace joinleaf::igmp
