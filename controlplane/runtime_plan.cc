#include <controlplane/runtime_plan.h>
#include <dataplane/dpdk/error.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace joinleaf::controlplane {
namespace {

using dataplane::dpdk::fail;

// The smallest that IPv4 knows (RFC 791), and the largest whose buffer has a length of 16 bits.
constexpr std::uint16_t kSmallestMtu = 68;
constexpr std::uint16_t kLargestMtu = 65000;

void check_workers(const RuntimeOptions& options, std::size_t most_workers) {
    if (options.workers == 0) fail(EINVAL, "a runtime needs at least one worker");
    if (options.workers > most_workers) {
        fail(EINVAL, fmt::format("{} workers are more than DPDK has lcores for ({})",
                                 options.workers, most_workers));
    }
    if (options.idle_sleep < Duration::zero() || options.idle_sleep > kLongestIdleSleep) {
        fail(EINVAL, fmt::format("a worker cannot sleep for {} us when idle; use 0 to {}",
                                 options.idle_sleep.count(),
                                 std::chrono::microseconds(kLongestIdleSleep).count()));
    }
}

// Its queues, and the workers that poll them.
void check_queues(const PortOptions& port, std::size_t workers) {
    if (port.worker >= workers) {
        fail(EINVAL, fmt::format("port '{}' is given to worker {}, but there are only {}",
                                 port.port, port.worker, workers));
    }
    if (port.queues == 0 || port.queues > workers - port.worker) {
        fail(EINVAL,
             fmt::format("port '{}' cannot have {} queues: each needs a worker of its own, and "
                         "from worker {} on there are {}",
                         port.port, port.queues, port.worker, workers - port.worker));
    }
}

void check_buffers(const PortOptions& port) {
    // A queue's own rings hold half of them.
    const std::size_t fewest = kFewestBuffers * port.queues;
    const auto check = [&](std::uint32_t buffers, const char* what) {
        if (buffers >= fewest) return;
        fail(EINVAL, fmt::format("port '{}' cannot {} with {} packet buffers; give it {} at least, "
                                 "{} for each queue",
                                 port.port, what, buffers, fewest, kFewestBuffers));
    };
    check(port.receive_buffers, "receive");
    check(port.transmit_buffers, "transmit");
}

void check_port(const PortOptions& port, std::size_t workers) {
    if (!port.address.address.is_unicast()) {
        fail(EINVAL, fmt::format("port '{}' needs a unicast address of its own, as in 10.0.0.1/24",
                                 port.port));
    }
    if (port.mtu < kSmallestMtu || port.mtu > kLargestMtu) {
        fail(EINVAL, fmt::format("port '{}' cannot have an MTU of {}; {} to {} can be, 1500 is "
                                 "usual",
                                 port.port, port.mtu, kSmallestMtu, kLargestMtu));
    }
    check_queues(port, workers);
    check_buffers(port);
    if (port.minimum_igmp_version < 1 || port.minimum_igmp_version > 3) {
        fail(EINVAL,
             fmt::format("there is no IGMP version {}; use 1, 2 or 3", port.minimum_igmp_version));
    }
}

void check_recorder(const RecorderOptions& recorder) {
    if (recorder.packets == 0) return;
    if (recorder.packets > kMostRecordedPackets) {
        fail(EINVAL, fmt::format("a recorder cannot keep {} packets; {} at most", recorder.packets,
                                 kMostRecordedPackets));
    }
    if (recorder.snap < kShortestSnap || recorder.snap > kLongestSnap) {
        fail(EINVAL, fmt::format("a recorder cannot keep {} octets of a packet; {} to {}",
                                 recorder.snap, kShortestSnap, kLongestSnap));
    }
}

std::uint64_t megabytes(std::uint64_t octets) { return octets >> 20; }

}  // namespace

RuntimePlan plan_runtime(const RuntimeOptions& options, std::size_t most_workers) {
    RuntimePlan plan;
    if (options.ports.empty()) fail(EINVAL, "a runtime needs at least one port");
    check_workers(options, most_workers);
    for (const auto& port : options.ports) {
        auto spec = parse_port_spec(port.port);
        if (!spec) fail(EINVAL, spec.error());
        plan.specs.push_back(std::move(*spec));
        if (port.vlan.empty()) {
            plan.vlans.emplace_back();
        } else {
            const auto vlan = net::VlanStack::parse(port.vlan);
            if (!vlan) fail(EINVAL, vlan.error());
            plan.vlans.push_back(*vlan);
        }
        check_port(port, options.workers);
    }
    check_recorder(options.recorder);
    return plan;
}

std::vector<unsigned> choose_cpus(const RuntimeOptions& options, std::span<const unsigned> usable) {
    if (!options.cpus.empty()) {
        if (options.cpus.size() < options.workers) {
            fail(EINVAL, fmt::format("{} workers need as many CPUs; {} given", options.workers,
                                     options.cpus.size()));
        }
        for (const auto cpu : options.cpus) {
            if (!std::ranges::binary_search(usable, cpu)) {
                fail(EINVAL, fmt::format("CPU {} is not one this process may run on ({})", cpu,
                                         fmt::join(usable, ",")));
            }
        }
        return {options.cpus.begin(),
                options.cpus.begin() + static_cast<std::ptrdiff_t>(options.workers)};
    }
    std::vector<unsigned> cpus;
    for (std::size_t i = 0; i < options.workers; ++i) {
        cpus.push_back(usable[usable.size() - 1 - i % usable.size()]);
    }
    return cpus;
}

std::string memory_remark(unsigned needed_mb, std::uint64_t octets, std::uint64_t transparent) {
    const auto cure =
        fmt::format("'echo {} > /proc/sys/vm/nr_hugepages' reserves enough", (needed_mb + 1) / 2);
    // Small pools have less than a huge page.
    if (transparent >= octets - octets / 8) {
        return fmt::format(
            "no hugepages are reserved: packet buffers lie in transparent ones, which "
            "the kernel may take apart; {}",
            cure);
    }
    return fmt::format(
        "no hugepages are reserved: {} MB of the {} MB of packet buffers lie in "
        "ordinary memory, about 10 ns a packet slower; {}",
        megabytes(octets - transparent), megabytes(octets), cure);
}

}  // namespace joinleaf::controlplane
