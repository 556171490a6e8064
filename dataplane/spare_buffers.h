// A fixed number of buffers of one size: for what does not lie in a buffer of the port. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace joinleaf::dataplane {

/// The memory is the constructor's. One owner.
class SpareBuffers {
public:
    SpareBuffers(std::size_t count, std::size_t octets)
        : octets_(octets),
          end_(count * octets),
          memory_(std::make_unique_for_overwrite<std::byte[]>(end_)) {
        free_.reserve(count);
        for (std::size_t i = count; i-- > 0;) free_.push_back(&memory_[i * octets]);
    }

    [[nodiscard]] bool empty() const noexcept { return free_.empty(); }
    [[nodiscard]] std::size_t available() const noexcept { return free_.size(); }
    [[nodiscard]] std::size_t octets() const noexcept { return octets_; }
    /// Not when empty.
    [[nodiscard]] std::span<std::byte> take() noexcept {
        std::byte* const buffer = free_.back();
        free_.pop_back();
        return {buffer, octets_};
    }
    /// `buffer` is the beginning of what take() gave.
    void give_back(void* buffer) noexcept { free_.push_back(static_cast<std::byte*>(buffer)); }
    /// Whether it lies in one of these.
    [[nodiscard]] bool owns(const void* buffer) const noexcept {
        // The built-in order is that of unrelated objects, which nobody has promised.
        const std::less<> before;
        return !before(buffer, memory_.get()) && before(buffer, memory_.get() + end_);
    }

private:
    std::size_t octets_;
    std::size_t end_;
    std::unique_ptr<std::byte[]> memory_;
    std::vector<std::byte*> free_;
};

}  // namespace joinleaf::dataplane
