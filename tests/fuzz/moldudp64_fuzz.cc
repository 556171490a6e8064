// Any octets as a MoldUDP64 packet and as a request: never a read outside, messages that fill the
// packet to its last octet, and what is read can be written again.
#include <net/moldudp64.h>

#include <cstring>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace joinleaf::net;

void read_packet(const std::vector<std::byte>& bytes) {
    const auto packet = parse_mold(bytes);
    if (!packet) {
        JOINLEAF_FUZZ_REQUIRE(packet.error() < MoldError::kCount);
        return;
    }
    JOINLEAF_FUZZ_REQUIRE(parse_mold(bytes, &packet->session).has_value());
    JOINLEAF_FUZZ_REQUIRE(packet->sequence != 0 && packet->end() >= packet->sequence);
    const bool is_data = packet->kind == MoldKind::data;
    JOINLEAF_FUZZ_REQUIRE(packet->messages.empty() != is_data);

    std::vector<std::byte> again(kMoldHeaderSize);
    const auto count = packet->kind == MoldKind::end_of_session
                           ? kMoldEndOfSession
                           : static_cast<std::uint16_t>(packet->messages.size());
    emit_mold_header(packet->session, packet->sequence, count, again.data());
    for (const auto message : packet->messages) {
        again.resize(again.size() + kMoldLengthSize);
        emit_mold_length(message.size(), again.data() + again.size() - kMoldLengthSize);
        again.insert(again.end(), message.begin(), message.end());
    }
    JOINLEAF_FUZZ_REQUIRE(again == bytes);
}

void read_request(const std::vector<std::byte>& bytes) {
    const auto request = parse_mold_request(bytes);
    if (!request) return;
    std::vector<std::byte> again(kMoldHeaderSize);
    emit_mold_request(*request, again.data());
    JOINLEAF_FUZZ_REQUIRE(again == bytes && request->count != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A block of exactly this size, so that AddressSanitizer sees any step beyond it.
    std::vector<std::byte> bytes(size);
    if (size != 0) std::memcpy(bytes.data(), data, size);
    read_packet(bytes);
    read_request(bytes);
    return 0;
}
