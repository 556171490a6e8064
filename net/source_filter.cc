// SourceFilter keeps its list sorted, so that membership is a binary search and equality is
// equality.
#include <joinleaf/source_filter.h>

#include <algorithm>

namespace joinleaf {

SourceFilter::SourceFilter(FilterMode mode, std::span<const Ipv4Address> sources)
    : mode_(mode), sources_(sources.begin(), sources.end()) {
    std::sort(sources_.begin(), sources_.end());
    sources_.erase(std::unique(sources_.begin(), sources_.end()), sources_.end());
}

bool SourceFilter::admits(Ipv4Address source) const {
    const bool listed = std::binary_search(sources_.begin(), sources_.end(), source);
    return listed == (mode_ == FilterMode::include);
}

std::string SourceFilter::to_string() const {
    std::string text = mode_ == FilterMode::include ? "IN{" : "EX{";
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        if (i != 0) text += ',';
        text += sources_[i].to_string();
    }
    return text + '}';
}

}  // namespace joinleaf
