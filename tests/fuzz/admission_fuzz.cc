// Arbitrary bytes as an admission stream. The first octet says in what pieces they arrive.
#include <controlplane/frame_reader.h>

#include <cstdlib>

using joinleaf::controlplane::decode;
using joinleaf::controlplane::encode;
using joinleaf::controlplane::FrameReader;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = data[0] == 0 ? size : data[0];
    auto rest = std::as_bytes(std::span(data + 1, size - 1));
    if (const auto message = decode(rest); message && !encode(*message)) std::abort();

    FrameReader reader;
    while (!rest.empty()) {
        auto some = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(some.size());
        for (;;) {
            const auto frame = reader.next(some);
            if (!frame) return 0;
            if (!*frame) break;
            const auto message = decode(**frame);
            if (!message) continue;
            // What can be read can be written, and means the same again.
            const auto again = encode(*message);
            if (!again || decode(*again) != *message) std::abort();
        }
    }
    return 0;
}
