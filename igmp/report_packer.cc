#include <igmp/report_packer.h>

#include <algorithm>
#include <utility>

namespace joinleaf::igmp {
namespace {

std::size_t size_of(std::size_t sources) { return kRecordHeaderSize + sources * kSourceSize; }

std::size_t size_of(std::span<const Record> records) {
    std::size_t size = 0;
    for (const Record& record : records) size += size_of(record.sources.size());
    return size;
}

}  // namespace

std::size_t ReportPacker::room() const {
    return message_.empty() ? 0 : capacity_ + kReportHeaderSize - message_.size();
}

bool ReportPacker::has_room_for(std::span<const Record> records) const {
    return size_of(records) <= room();
}

void ReportPacker::add(std::span<const Record> records) {
    const std::size_t size = size_of(records);
    if (size > room() && size <= capacity_) finish();  // PKG-6: whole into the next report
    for (const Record& record : records) {
        if (size_of(record.sources.size()) <= capacity_) {
            add_whole(record.type, record.group, record.sources);
        } else {
            add_oversized(record);
        }
    }
}

void ReportPacker::add_oversized(const Record& record) {
    const std::size_t most = (capacity_ - kRecordHeaderSize) / kSourceSize;
    std::span<const Ipv4Address> rest = record.sources;
    const bool is_exclude =
        record.type == RecordType::is_exclude || record.type == RecordType::to_exclude;
    // PKG-4: the sources left out are forwarded and dropped here; the host stays correct.
    if (is_exclude) rest = rest.first(most);
    while (!rest.empty()) {
        const auto part = rest.first(std::min(most, rest.size()));
        add_whole(record.type, record.group, part);
        rest = rest.subspan(part.size());
    }
}

void ReportPacker::add_whole(RecordType type, GroupAddress group,
                             std::span<const Ipv4Address> sources) {
    if (size_of(sources.size()) > room()) finish();
    if (message_.empty()) {
        begin_report(message_);
        ++reports_;
    }
    append_record(message_, type, group, sources);
    ++records_in_message_;
    ++records_;
}

void ReportPacker::finish() {
    if (message_.empty()) return;
    finish_report(message_, std::exchange(records_in_message_, 0));
    out_.push_back(
        {kVersion3Routers.address(), std::exchange(message_, {}), std::exchange(tickets_, {})});
}

}  // namespace joinleaf::igmp
