// The layouts that hold messages and nothing else.
#include <apps/joinleaf/feed_files/layout.h>
#include <fmt/format.h>
#include <net/moldudp64.h>

#include <algorithm>
#include <cstring>

namespace joinleaf::app {

using net::kMoldLengthSize;
using net::kMoldMaxMessage;

Taken LengthsLayout::read(std::span<const std::byte> window, bool ended,
                          std::vector<FeedMessage>& messages) {
    Taken taken;
    while (messages.size() < kEnough) {
        const auto rest = window.subspan(taken.octets);
        if (rest.empty()) {
            taken.wanted = kMoldLengthSize;
            return taken;
        }
        taken.wanted = kMoldLengthSize;
        if (rest.size() >= kMoldLengthSize) {
            const std::size_t length = net::load<net::BigEndian<std::uint16_t>>(rest.data());
            taken.wanted = kMoldLengthSize + length;
            if (rest.size() >= taken.wanted) {
                messages.push_back({rest.subspan(kMoldLengthSize, length), {}});
                taken.octets += taken.wanted;
                continue;
            }
        }
        if (ended) {
            taken.wrong = fmt::format(
                "a message of {} octets with its length is cut off after {}; the file is "
                "incomplete, or has another layout than `lengths` (--input-format)",
                taken.wanted, rest.size());
        }
        return taken;
    }
    taken.wanted = 0;
    return taken;
}

Taken LinesLayout::read(std::span<const std::byte> window, bool ended,
                        std::vector<FeedMessage>& messages) {
    Taken taken;
    while (messages.size() < kEnough) {
        const auto rest = window.subspan(taken.octets);
        const auto shown = rest.first(std::min(rest.size(), kMoldMaxMessage + 1));
        const void* const found =
            shown.empty() ? nullptr : std::memchr(shown.data(), '\n', shown.size());
        if (found != nullptr) {
            const auto length =
                static_cast<std::size_t>(static_cast<const std::byte*>(found) - rest.data());
            messages.push_back({rest.first(length), {}});
            taken.octets += length + 1;
        } else if (shown.size() > kMoldMaxMessage) {
            taken.wrong = fmt::format(
                "a line goes on for more than {} octets, the longest message there is; is it text? "
                "--input-format names other layouts",
                kMoldMaxMessage);
            return taken;
        } else if (ended && !rest.empty()) {
            messages.push_back({rest, {}});
            taken.octets += rest.size();
        } else {
            taken.wanted = rest.size() + 1;
            return taken;
        }
    }
    return taken;
}

}  // namespace joinleaf::app
