// Any octets as an IGMP message: never a crash, and what is read can be written and read again.
#include <igmp/message.h>
#include <net/big_endian.h>
#include <net/checksum.h>

#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace joinleaf;
using namespace joinleaf::igmp;

template <class Parse, class Value>
void expect_to_read_again(Parse parse, const Value& value) {
    const auto bytes = emit(value);
    JOINLEAF_FUZZ_REQUIRE(verify(bytes).has_value());
    JOINLEAF_FUZZ_REQUIRE(parse(bytes) == value);
}

void read(std::span<const std::byte> bytes) {
    if (!verify(bytes)) return;
    if (const auto query = parse_query(bytes)) expect_to_read_again(parse_query, *query);
    if (const auto report = parse_report(bytes)) expect_to_read_again(parse_report, *report);
    if (const auto report = parse_older_report(bytes)) {
        // The type octet told the version; only a report's own type can be read back.
        expect_to_read_again(parse_older_report, *report);
    }
    if (const auto group = parse_leave(bytes)) {
        JOINLEAF_FUZZ_REQUIRE(parse_leave(emit_leave(*group)) == *group);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A block of exactly this size, so that AddressSanitizer sees any step beyond it.
    std::vector<std::byte> bytes(size);
    std::transform(data, data + size, bytes.begin(), [](std::uint8_t o) { return std::byte{o}; });
    read(bytes);
    if (bytes.size() >= 4) {  // and with a sum that fits, which chance seldom finds
        net::store(bytes.data() + 2, net::BigEndian<std::uint16_t>(0));
        net::store(bytes.data() + 2, net::BigEndian<std::uint16_t>(net::checksum(bytes)));
        read(bytes);
    }
    return 0;
}
