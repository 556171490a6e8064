// Roles and planes: the four cells of the multipoint taxonomy (M1, M2, M3).
#pragma once

#include <joinleaf/api.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace JOINLEAF_API joinleaf {

enum class Plane : std::uint8_t { rooted, nonrooted };

/// c_root or c_leaf: who decides about membership. Fixed when a socket is opened (M1).
enum class ControlRole : std::uint8_t { root, leaf };

/// d_root or d_leaf: who publishes and who receives. Fixed when a socket is opened (M1).
enum class DataRole : std::uint8_t { root, leaf };

/// One cell of the taxonomy: whether each plane is rooted (what WSAEnumProtocols tells with
/// XP1_MULTIPOINT_CONTROL_PLANE and XP1_MULTIPOINT_DATA_PLANE).
struct Scheme {
    Plane control = Plane::nonrooted;
    Plane data = Plane::nonrooted;

    friend constexpr bool operator==(const Scheme&, const Scheme&) = default;
};

/// Any-source IP multicast: IGMP join, every member's data reaches every other.
inline constexpr Scheme kAnySource{Plane::nonrooted, Plane::nonrooted};
/// Source-specific multicast: (S,G) join, only the named sources reach a leaf.
inline constexpr Scheme kSourceSpecific{Plane::nonrooted, Plane::rooted};

/// Admission by the root; only the root's data reaches leaves, a leaf's goes to the root alone.
inline constexpr Scheme kRootedRooted{Plane::rooted, Plane::rooted};
/// Admission by the root; every member's data reaches every other.
inline constexpr Scheme kRootedControl{Plane::rooted, Plane::nonrooted};

struct SchemeInfo {
    Scheme scheme;
    std::string_view name;        ///< as written on a command line
    std::string_view carried_by;  ///< what carries it on the wire, one line
};

/// The schemes that sockets can be opened in. Any thread.
[[nodiscard]] std::span<const SchemeInfo> schemes() noexcept;

}  // namespace joinleaf
