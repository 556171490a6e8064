#include <igmp/reception_state.h>

#include <algorithm>
#include <iterator>

namespace joinleaf::igmp {

Sources union_of(const Sources& a, const Sources& b) {
    Sources result;
    result.reserve(a.size() + b.size());
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
    return result;
}

Sources intersection_of(const Sources& a, const Sources& b) {
    Sources result;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
    return result;
}

Sources difference_of(const Sources& a, const Sources& b) {
    Sources result;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
    return result;
}

Sources symmetric_difference_of(const Sources& a, const Sources& b) {
    Sources result;
    std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(),
                                  std::back_inserter(result));
    return result;
}

SourceFilter merge(std::span<const Member> members) {
    if (members.size() == 1) return members.front().filter;
    Sources wanted;
    Sources shunned;
    bool any_excludes = false;
    for (const Member& member : members) {
        const Sources& sources = member.filter.sources();
        if (member.filter.mode() == FilterMode::include) {
            wanted.insert(wanted.end(), sources.begin(), sources.end());
        } else {
            shunned = any_excludes ? intersection_of(shunned, sources) : sources;
            any_excludes = true;
        }
    }
    const SourceFilter include(FilterMode::include, wanted);  // sorts, drops duplicates
    if (!any_excludes) return include;
    return {FilterMode::exclude, difference_of(shunned, include.sources())};
}

}  // namespace joinleaf::igmp
