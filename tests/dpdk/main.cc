// Starts nothing by itself: the first runtime of a test starts the EAL, for two workers, and every
// later one uses it.
#include <dataplane/dpdk/eal.h>
#include <gtest/gtest.h>

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    const auto cpus = joinleaf::dataplane::dpdk::usable_cpus();
    joinleaf::dataplane::dpdk::EalOptions options;
    options.worker_cpus = {cpus[cpus.size() - 1], cpus[0]};
    options.memory_mb = 1024;
    joinleaf::dataplane::dpdk::Eal::ensure(options);
    return RUN_ALL_TESTS();
}
