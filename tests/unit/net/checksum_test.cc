// The Internet checksum over messages that come in pieces.
#include <gtest/gtest.h>
#include <net/checksum.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace joinleaf::net {
namespace {

// RFC 1071 §1, word by word, as slowly as it is written there.
std::uint16_t textbook(std::span<const std::byte> bytes) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        const auto high = std::to_integer<std::uint64_t>(bytes[i]);
        const auto low = i + 1 < bytes.size() ? std::to_integer<std::uint64_t>(bytes[i + 1]) : 0;
        sum += high << 8 | low;
    }
    while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
    return static_cast<std::uint16_t>(~sum);
}

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = std::byte(i * 37 + i / 251);
    return bytes;
}

TEST(Checksum, IsTheTextbooksAtEveryLengthAndAlignment) {
    const auto bytes = pattern(700);
    for (std::size_t start = 0; start < 8; ++start) {
        for (std::size_t length = 0; start + length <= bytes.size(); ++length) {
            const auto part = std::span(bytes).subspan(start, length);
            ASSERT_EQ(checksum(part), textbook(part)) << start << ' ' << length;
        }
    }
    const std::vector<std::byte> ones(65535, std::byte{0xff});
    EXPECT_EQ(checksum(ones), textbook(ones));
}

TEST(PiecewiseChecksum, EverySplitInThreeAgreesWithTheWhole) {
    const auto bytes = pattern(40);
    const std::span whole(bytes);
    for (std::size_t a = 0; a <= bytes.size(); ++a) {
        for (std::size_t b = a; b <= bytes.size(); ++b) {
            PiecewiseChecksum sum;
            sum.add(whole.first(a));
            sum.add(whole.subspan(a, b - a));
            sum.add(whole.subspan(b));
            ASSERT_EQ(sum.sum().checksum(), checksum(whole)) << a << ' ' << b;
        }
    }
}

RC_GTEST_PROP(PiecewiseChecksum, AnySegmentsAgreeWithTheWhole,
              (const std::vector<std::vector<std::uint8_t>>& segments)) {
    PiecewiseChecksum sum;
    std::vector<std::byte> whole;
    for (const auto& octets : segments) {
        const auto segment = std::as_bytes(std::span(octets));
        sum.add(segment);
        whole.insert(whole.end(), segment.begin(), segment.end());
    }
    RC_ASSERT(sum.sum().checksum() == textbook(whole));
}

}  // namespace
}  // namespace joinleaf::net
