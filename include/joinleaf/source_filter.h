// Which sources of a group a member wants: RFC 9776 §2's filter mode and source list, as a value.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace JOINLEAF_API joinleaf {

enum class FilterMode : std::uint8_t { include, exclude };

/// INCLUDE(list): only these sources. EXCLUDE(list): all but these. The list is kept sorted and
/// without duplicates, so equal filters compare equal. INCLUDE({}) means 'nothing' (not a member).
class SourceFilter {
public:
    /// INCLUDE({}): not a member.
    SourceFilter() = default;
    SourceFilter(FilterMode mode, std::span<const Ipv4Address> sources);
    SourceFilter(FilterMode mode, std::initializer_list<Ipv4Address> sources)
        : SourceFilter(mode, std::span(sources.begin(), sources.size())) {}

    [[nodiscard]] static SourceFilter any() { return {FilterMode::exclude, {}}; }
    [[nodiscard]] static SourceFilter nothing() { return {}; }
    [[nodiscard]] static SourceFilter only(std::initializer_list<Ipv4Address> sources) {
        return {FilterMode::include, sources};
    }

    [[nodiscard]] FilterMode mode() const { return mode_; }
    [[nodiscard]] const std::vector<Ipv4Address>& sources() const { return sources_; }
    [[nodiscard]] bool is_nothing() const {
        return mode_ == FilterMode::include && sources_.empty();
    }
    /// Whether a datagram from `source` passes (RFC 9776 §3.2, last paragraph).
    [[nodiscard]] bool admits(Ipv4Address source) const;
    /// As in EX{10.0.0.5,10.0.0.6}.
    [[nodiscard]] std::string to_string() const;

    friend auto operator<=>(const SourceFilter&, const SourceFilter&) = default;

private:
    FilterMode mode_ = FilterMode::include;
    std::vector<Ipv4Address> sources_;
};

}  // namespace joinleaf
