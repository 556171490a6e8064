// The worker's clock beside the system's.
#include <dataplane/tsc_clock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;

TEST(TscClock, NeverGoesBack) {
    TscClock clock;
    Instant last = clock.now();
    const auto end = std::chrono::steady_clock::now() + 150ms;  // past one new anchor
    while (std::chrono::steady_clock::now() < end) {
        const Instant now = clock.now();
        ASSERT_GE(now, last);
        last = now;
    }
}

// Read between two readings of the system's clock, it lies between them; most readings are not
// interrupted, so the median says how far it is off.
TEST(TscClock, KeepsToTheSystemsClock) {
    TscClock clock;
    std::vector<Duration> off;
    const auto end = std::chrono::steady_clock::now() + 250ms;
    while (std::chrono::steady_clock::now() < end) {
        const Instant before = std::chrono::steady_clock::now();
        const Instant now = clock.now();
        const Instant after = std::chrono::steady_clock::now();
        off.push_back(now < before ? before - now : now > after ? now - after : Duration(0));
    }
    std::nth_element(off.begin(), off.begin() + static_cast<std::ptrdiff_t>(off.size() / 2),
                     off.end());
    EXPECT_LT(off[off.size() / 2], 20us);
}

}  // namespace
}  // namespace joinleaf::dataplane
