// Text form of VLAN stacks.
#include <fmt/format.h>
#include <net/vlan.h>

#include <charconv>

namespace joinleaf::net {
namespace {

Parsed<std::uint16_t> parse_id(std::string_view text) {
    std::uint16_t id = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, id);
    if (error != std::errc{} || end != last || id == 0 || id > kMaxVlanId) {
        return tl::unexpected(
            fmt::format("'{}' is not a VLAN; use a number from 1 to {}, or two as in 100.200", text,
                        kMaxVlanId));
    }
    return id;
}

}  // namespace

Parsed<VlanStack> VlanStack::parse(std::string_view text) {
    const auto dot = text.find('.');
    const auto outer = parse_id(text.substr(0, dot));
    if (!outer) return tl::unexpected(outer.error());
    if (dot == std::string_view::npos) return VlanStack{.outer = *outer};
    const auto inner = parse_id(text.substr(dot + 1));
    if (!inner) return tl::unexpected(inner.error());
    return VlanStack{.outer = *outer, .inner = *inner};
}

std::string VlanStack::to_string() const {
    if (outer == 0) return "untagged";
    return inner == 0 ? fmt::format("{}", outer) : fmt::format("{}.{}", outer, inner);
}

}  // namespace joinleaf::net
