// The runtime: ports, workers and the control thread, started and stopped as one.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <joinleaf/error.h>
#include <joinleaf/event.h>
#include <joinleaf/receiver.h>
#include <joinleaf/recorder.h>
#include <joinleaf/socket.h>
#include <joinleaf/status.h>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace JOINLEAF_API joinleaf {

struct PortOptions {
    /// A PCI address; a kernel interface (AF_PACKET), `xdp:NAME` (AF_XDP); `memif:PATH[,server]`;
    /// `null`; `ring:NAME` (two ports of one name in one process form a wire); or DPDK devargs.
    std::string port;
    Ipv4Interface address;
    /// VLAN tag as in "100", or outer and inner as in "100.200"; empty: untagged.
    std::string vlan;
    std::uint16_t mtu = 1500;
    std::size_t worker = 0;  ///< which worker polls it: 0 to RuntimeOptions::workers - 1
    /// Receive queues, and as many transmit queues: `worker` polls the first, the next worker the
    /// second, and so on. Each socket is at home on one of them. The NIC is asked to steer its
    /// group there (rte_flow); what arrives elsewhere all the same is passed on by the worker that
    /// got it.
    std::size_t queues = 1;
    /// Packet buffers for what arrives: on the NIC's rings, and until the application has read
    /// them.
    std::uint32_t receive_buffers = 16384;
    /// Packet buffers for what is sent: while it is filled, in queues, and on the NIC's rings.
    std::uint32_t transmit_buffers = 16384;
    /// Where unicast datagrams for other subnets go; unspecified: there is no way there.
    Ipv4Address gateway;
    /// IGMP of this port.
    std::uint8_t robustness = 2;
    bool require_router_alert = false;
    std::uint8_t minimum_igmp_version = 1;
};

/// Of receive_buffers and of transmit_buffers, for each queue; with fewer start() fails.
inline constexpr std::uint32_t kFewestBuffers = 2048;

inline constexpr std::chrono::milliseconds kLongestIdleSleep{50};

struct RuntimeOptions {
    std::vector<PortOptions> ports;
    std::size_t workers = 1;
    /// CPUs for the workers; empty: the last ones this process may run on, so that the first is
    /// left to the control thread.
    std::vector<unsigned> cpus;
    /// How long a worker with nothing to do sleeps between looks; zero: it polls without rest, for
    /// the least delay. At most kLongestIdleSleep, or start() fails: control frames wait for it.
    std::chrono::microseconds idle_sleep{0};
    std::vector<std::string> eal_arguments;  ///< more arguments for the EAL, as given to --eal
    /// Subscriptions (socket, group, port) per port; a join beyond gives no_buffer_space.
    std::size_t max_subscriptions = 131072;
    RecorderOptions recorder;
    /// Lets DPDK's secondary processes attach, as dpdk-dumpcap: hugepages are files then, which a
    /// process that is killed leaves behind. Without hugepages none can, and the log says so. It is
    /// the first runtime's to decide.
    bool allow_secondary = false;
    /// One line for a person: what was switched, missing or done in software. Called on the
    /// control thread. Unset: standard error.
    std::function<void(std::string_view)> log;
};

class RepairHost;
struct RepairHostOptions;

/// Ports are polled from the moment a runtime exists until it stops. Move only; the destructor
/// stops. At most one EAL configuration per process: the first runtime decides it.
class Runtime {
public:
    /// Errors: throws std::system_error whose what() names the thing and the cure.
    [[nodiscard]] static Runtime start(RuntimeOptions options);
    Runtime(Runtime&&) noexcept;
    Runtime& operator=(Runtime&&) noexcept;
    ~Runtime();

    /// Errors: invalid_argument (M1, M2: roles that the scheme does not have, a port that is not
    /// there), operation_not_supported, no_buffer_space.
    Result<Socket> open(const SocketOptions& options);
    Result<Receiver> open_receiver(const ReceiverOptions& options);
    [[nodiscard]] EventQueue open_event_queue();
    /// Errors: invalid_argument (limits), not_enough_memory, address_in_use, address_not_available,
    /// permission_denied ...; RuntimeOptions::log has the sentence that names the endpoint.
    Result<RepairHost> open_repair_host(const RepairHostOptions& options);

    /// Any thread. While the runtime lives the same is told to whoever asks the process through its
    /// telemetry socket (dpdk-telemetry.py, `joinleaf stat`), unless `eal_arguments` has
    /// --no-telemetry.
    [[nodiscard]] Status status() const;
    /// The leaves of a root, by their numbers: those above `after`, `limit` at most, because there
    /// may be thousands. Empty when there are none, or `socket` is not a root. Any thread.
    [[nodiscard]] std::vector<LeafStatus> leaves(SocketId socket, std::uint64_t after = 0,
                                                 std::size_t limit = 1000) const;

    /// An earlier process has joined `group` from this port's address for `sources`, and was
    /// killed: tells the network of the leave that it owed, by IGMP as for a socket of this runtime
    /// that leaves. To be called before `group` is joined here; else, and in a group that has been
    /// left this way already, nothing is told. Errors: invalid_argument (no such port, sources that
    /// nobody can have joined for), no_buffer_space.
    Result<void> leave_for_another(std::size_t port, GroupAddress group,
                                   const SourceFilter& sources);

    /// Writes what the recorder holds to a pcapng file, in place of what is there; a path that is
    /// empty is RecorderOptions::prefix's to name. Times are UTC in nanoseconds, each queue of a
    /// port is an interface, and a packet that was dropped has the reason as its comment. Waits for
    /// the file. Each packet is written once: the next call has what has come since. A packet that
    /// was dropped before it had headers is counted alone. Any thread that is not the library's.
    /// Errors: operation_not_supported (there is no recorder), network_down (it was stopped),
    /// timed_out (a worker does not answer), resource_deadlock_would_occur (called from the log),
    /// or why the file could not be written.
    Result<RecorderDump> dump_recorder(const std::string& path = {});
    /// Has the recorder written to a file of its own when half of what it holds has come after now,
    /// or shortly, where little comes: for something that should not have happened, as a gap in a
    /// feed. `why` is kept in the file; the log tells when it is written. Returns at once, and
    /// false when there will be no file: too soon after the last (RecorderOptions::interval), or
    /// there is no recorder or prefix. Any thread; what comes too soon costs no system call.
    bool record_around(std::string_view why);

    /// Closes every socket, each as by Socket::close(), lets the IGMP leaves and their repeats out
    /// (at most `linger`), and stops the workers. Idempotent; the destructor does the same.
    void stop(std::chrono::milliseconds linger = std::chrono::milliseconds(2500));

    class Impl;

private:
    explicit Runtime(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace joinleaf
