// A layout shown an input piece by piece, as a file or a pipe would.
#pragma once

#include <apps/joinleaf/feed_files/layout.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::test {

inline std::vector<std::byte> octets(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

/// What a layout made of an input.
struct Read {
    std::vector<std::string> messages;
    std::vector<std::optional<app::RecordedTime>> times;
    std::size_t octets = 0;
    std::string wrong;
    std::vector<std::string> notes;
};

/// Shows `piece` octets more each time that more are wanted.
inline Read read_all(app::Layout& layout, std::span<const std::byte> input, std::size_t piece) {
    Read all;
    std::size_t shown = 0;
    std::vector<app::FeedMessage> messages;
    for (;;) {
        messages.clear();
        const auto window = input.subspan(all.octets, shown - all.octets);
        const bool ended = shown == input.size();
        auto taken = layout.read(window, ended, messages);
        for (const auto& message : messages) {
            all.messages.emplace_back(reinterpret_cast<const char*>(message.octets.data()),
                                      message.octets.size());
            all.times.push_back(message.recorded);
        }
        all.octets += taken.octets;
        for (auto& note : layout.take_notes()) all.notes.push_back(std::move(note));
        if (!taken.wrong.empty()) {
            all.wrong = std::move(taken.wrong);
            return all;
        }
        if (taken.wanted == 0) continue;
        if (ended) return all;
        const std::size_t wanted =
            taken.wanted > shown - all.octets ? taken.wanted - (shown - all.octets) : 1;
        shown += std::min(input.size() - shown, std::max(piece, wanted > piece ? 1 : piece));
    }
}

}  // namespace joinleaf::test
