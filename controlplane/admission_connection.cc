#include <controlplane/admission_connection.h>

namespace joinleaf::controlplane {

void WriteQueue::push(std::span<const std::byte> octets) {
    octets_.insert(octets_.end(), octets.begin(), octets.end());
}

void WriteQueue::written(std::size_t octets) {
    constexpr std::size_t kKept = 256;     // a quiet connection holds on to no more
    constexpr std::size_t kMoved = 16384;  // a busy one moves its rest to the front this rarely
    written_ += octets;
    if (empty()) {
        octets_.clear();
        if (octets_.capacity() > kKept) octets_ = {};
        written_ = 0;
    } else if (written_ >= kMoved) {
        octets_.erase(octets_.begin(), octets_.begin() + static_cast<std::ptrdiff_t>(written_));
        written_ = 0;
    }
}

}  // namespace joinleaf::controlplane
