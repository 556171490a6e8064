// Chance for IGMP's delays: independent on every host, port and start (RFC 9776 §5.2).
#pragma once

#include <igmp/actions.h>

#include <random>

namespace joinleaf::controlplane {

class RandomDelay final : public igmp::DelaySource {
public:
    RandomDelay() {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device()};
        engine_.seed(seed);
    }
    Duration delay(Duration limit) override {
        return Duration(std::uniform_int_distribution<Duration::rep>(1, limit.count())(engine_));
    }

private:
    std::mt19937_64 engine_;
};

}  // namespace joinleaf::controlplane
