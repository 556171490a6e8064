// The long sums, in vector registers: payloads, where no NIC computes their checksum.
#include <net/big_endian.h>
#include <net/checksum.h>

namespace joinleaf::net {
namespace {

constexpr std::size_t kBlock = 64;

using Lanes2 [[gnu::vector_size(16)]] = std::uint64_t;  // a register of SSE
using Lanes4 [[gnu::vector_size(32)]] = std::uint64_t;  // and of AVX2

// Sums whole blocks of 32-bit words into 64-bit lanes, where no carry can be lost before 2^32
// words.
template <class Lanes>
[[gnu::always_inline]] inline std::uint64_t sum_blocks(const std::byte* at,
                                                       std::size_t blocks) noexcept {
    Lanes even{};
    Lanes odd{};
    for (const std::byte* const end = at + blocks * kBlock; at != end; at += kBlock) {
        for (std::size_t i = 0; i < kBlock; i += sizeof(Lanes)) {
            Lanes words;
            std::memcpy(&words, at + i, sizeof(Lanes));
            even += words & 0xffff'ffff;
            odd += words >> 32;
        }
    }
    const Lanes lanes = even + odd;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < sizeof(Lanes) / sizeof(std::uint64_t); ++i) sum += lanes[i];
    return sum;
}

// Tuned for the first processor that had AVX2, or each load would be split in two.
[[gnu::target("avx2,tune=haswell")]] std::uint64_t sum_blocks_avx2(const std::byte* at,
                                                                   std::size_t blocks) noexcept {
    return sum_blocks<Lanes4>(at, blocks);
}

}  // namespace

void ChecksumSum::add(std::span<const std::byte> bytes) noexcept {
    const std::size_t blocks = bytes.size() / kBlock;
    if (blocks != 0) {
        sum_ += __builtin_cpu_supports("avx2") != 0 ? sum_blocks_avx2(bytes.data(), blocks)
                                                    : sum_blocks<Lanes2>(bytes.data(), blocks);
        bytes = bytes.subspan(blocks * kBlock);
    }
    for (; bytes.size() >= sizeof(std::uint32_t); bytes = bytes.subspan(sizeof(std::uint32_t))) {
        sum_ += load<std::uint32_t>(bytes.data());
    }
    if (!bytes.empty()) {
        // The last octets, as if zeros followed (RFC 1071 §4.1).
        std::uint32_t rest = 0;
        std::memcpy(&rest, bytes.data(), bytes.size());
        sum_ += rest;
    }
}

}  // namespace joinleaf::net
