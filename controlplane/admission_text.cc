#include <controlplane/admission_text.h>

#include <cstdint>

namespace joinleaf::controlplane {

bool is_admission_text(std::string_view text) {
    if (text.size() > kMaxAdmissionText) return false;
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        // RFC 3629 §3: how many octets follow the first, and the least that many octets encode.
        const unsigned char first = octet(i++);
        std::uint32_t point = first;
        std::size_t following = 0;
        std::uint32_t least = 0;
        if (first >= 0xf0 && first <= 0xf4) {
            following = 3, least = 0x10000, point = first & 0x07u;
        } else if (first >= 0xe0 && first < 0xf0) {
            following = 2, least = 0x800, point = first & 0x0fu;
        } else if (first >= 0xc2 && first < 0xe0) {
            following = 1, least = 0x80, point = first & 0x1fu;
        } else if (first >= 0x80) {
            return false;
        }
        if (text.size() - i < following) return false;
        for (; following > 0; --following) {
            const unsigned char next = octet(i++);
            if ((next & 0xc0u) != 0x80) return false;
            point = point << 6 | (next & 0x3fu);
        }
        const auto in = [&](std::uint32_t from, std::uint32_t to) {
            return from <= point && point <= to;
        };
        if (point < least || point > 0x10ffff || in(0xd800, 0xdfff)) return false;
        if (in(0, 0x1f) || in(0x7f, 0x9f)) return false;             // control characters
        if (in(0x2028, 0x202e) || in(0x2066, 0x2069)) return false;  // separators, directions
        if (in(0x200e, 0x200f) || point == 0xfeff) return false;  // direction and byte order marks
        if ((point & 0xfffe) == 0xfffe || in(0xfdd0, 0xfdef)) return false;  // no characters
    }
    return true;
}

}  // namespace joinleaf::controlplane
