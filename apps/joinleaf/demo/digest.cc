// SHA-256 of what passes by.
#include <apps/joinleaf/demo/digest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <new>

namespace joinleaf::app {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
        throw std::bad_alloc();
    }
}

void Sha256::update(std::span<const std::byte> bytes) noexcept {
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

Sha256::Digest Sha256::digest() const {
    const Context copy(EVP_MD_CTX_new());
    Digest digest{};
    if (!copy || EVP_MD_CTX_copy_ex(copy.get(), context_.get()) != 1 ||
        EVP_DigestFinal_ex(copy.get(), digest.data(), nullptr) != 1) {
        throw std::bad_alloc();
    }
    return digest;
}

std::string to_string(const Sha256::Digest& digest) {
    return fmt::format("{:02x}", fmt::join(digest, ""));
}

}  // namespace joinleaf::app
