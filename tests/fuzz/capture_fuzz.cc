// Octets become a capture, read whole and in pieces: both end, find the same messages in it, and
// none that is not inside.
#include <apps/joinleaf/feed_files/replay.h>

#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace joinleaf::app;

struct Found {
    std::vector<std::vector<std::byte>> messages;
    std::uint64_t octets = 0;
    std::uint64_t frames = 0;
    bool wrong = false;
    friend bool operator==(const Found&, const Found&) = default;
};

Found read(std::span<const std::byte> input, std::size_t piece) {
    ReplayLayout layout({});
    Found found;
    std::vector<FeedMessage> messages;
    std::size_t done = 0;
    std::size_t shown = std::min(piece, input.size());
    for (;;) {
        messages.clear();
        const Taken taken =
            layout.read(input.subspan(done, shown - done), shown == input.size(), messages);
        for (const auto& message : messages) {
            JOINLEAF_FUZZ_REQUIRE(message.recorded.has_value());
            JOINLEAF_FUZZ_REQUIRE(message.recorded->count() >= 0);
            found.messages.emplace_back(message.octets.begin(), message.octets.end());
        }
        (void)layout.take_notes();
        JOINLEAF_FUZZ_REQUIRE(taken.octets <= shown - done);
        JOINLEAF_FUZZ_REQUIRE(taken.wanted <= CaptureReader::kLargest + 16);
        done += taken.octets;
        found.wrong = !taken.wrong.empty();
        if (found.wrong || (taken.wanted != 0 && shown == input.size())) break;
        if (taken.wanted == 0) continue;
        JOINLEAF_FUZZ_REQUIRE(taken.wanted > shown - done);
        shown = std::min(input.size(), done + std::max(taken.wanted, piece));
    }
    JOINLEAF_FUZZ_REQUIRE(found.wrong || done == input.size());
    found.octets = done;
    found.frames = layout.counts().frames;
    const auto& line = layout.counts().line;
    JOINLEAF_FUZZ_REQUIRE(line.messages == found.messages.size());
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = std::as_bytes(std::span(data, size));
    JOINLEAF_FUZZ_REQUIRE(read(input, std::max<std::size_t>(size, 1)) == read(input, 1));
    return 0;
}
