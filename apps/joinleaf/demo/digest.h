// SHA-256 of what passes by.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace joinleaf::app {

/// update() neither allocates nor throws. One thread at a time.
class Sha256 {
public:
    using Digest = std::array<unsigned char, 32>;

    Sha256();
    void update(std::span<const std::byte> bytes) noexcept;
    /// The digest of all updates so far; more may follow.
    [[nodiscard]] Digest digest() const;

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
    };
    using Context = std::unique_ptr<EVP_MD_CTX, Free>;
    Context context_;
};

[[nodiscard]] std::string to_string(const Sha256::Digest& digest);

}  // namespace joinleaf::app
