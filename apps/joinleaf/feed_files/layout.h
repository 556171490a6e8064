// How messages lie in a file or a stream: the one interface of all layouts, and the two that hold
// messages and nothing else. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace joinleaf::app {

/// Since 1970, as a capture has it.
using RecordedTime = std::chrono::nanoseconds;

/// One message of an input, in place.
struct FeedMessage {
    std::span<const std::byte> octets;
    std::optional<RecordedTime> recorded;  ///< none: its layout knows no times
};

/// What a layout has read off the front of a window.
struct Taken {
    std::size_t octets = 0;  ///< that are done with
    /// How many octets the window has to show before there is more; not above its size: there may
    /// be more already.
    std::size_t wanted = 0;
    /// What is wrong behind `octets`, in a clause with its cure, where nothing more can be read;
    /// else empty.
    std::string wrong;
};

/// Reads an input that is shown to it piece by piece.
class Layout {
public:
    /// Messages after which read() stops; one datagram of a capture may bring more.
    static constexpr std::size_t kEnough = 256;

    Layout() = default;
    Layout(const Layout&) = delete;
    Layout& operator=(const Layout&) = delete;
    virtual ~Layout() = default;

    /// Appends the messages at the front of `window` to `messages`; they lie in the window, or are
    /// valid until the next call. The next window begins behind Taken::octets. `ended`: nothing
    /// follows the window.
    virtual Taken read(std::span<const std::byte> window, bool ended,
                       std::vector<FeedMessage>& messages) = 0;

    /// Remarks for a person that have come up since the last call.
    [[nodiscard]] virtual std::vector<std::string> take_notes() { return {}; }
};

/// A message is its length, 16 bits big-endian, and its octets: the layout of ITCH files. A length
/// of 0 is a message without octets.
class LengthsLayout final : public Layout {
public:
    Taken read(std::span<const std::byte> window, bool ended,
               std::vector<FeedMessage>& messages) override;
};

/// A message is a line without the line feed that ends it; the last may lack it.
class LinesLayout final : public Layout {
public:
    Taken read(std::span<const std::byte> window, bool ended,
               std::vector<FeedMessage>& messages) override;
};

}  // namespace joinleaf::app
