// All the chance there is in a simulation, from one seed.
#pragma once

#include <joinleaf/clock.h>
#include <cstdint>
#include <vector>

namespace joinleaf::controlplane::simulation {

/// SplitMix64: a seed costs nothing, and every seed is as good as another.
class Chance {
public:
    explicit Chance(std::uint64_t seed) : state_(seed) {}

    std::uint64_t draw() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    /// 0 to n - 1.
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(draw() % n); }
    bool percent(unsigned p) { return below(100) < p; }
    Duration between(Duration low, Duration high) {
        return low + Duration(static_cast<std::int64_t>(
                         below(static_cast<std::size_t>((high - low).count()) + 1)));
    }
    template <class T>
    T& of(std::vector<T>& all) {
        return all[below(all.size())];
    }
    template <class T>
    T one_of(std::initializer_list<T> all) {
        return all.begin()[below(all.size())];
    }

private:
    std::uint64_t state_;
};

}  // namespace joinleaf::controlplane::simulation
