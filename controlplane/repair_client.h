// Requests for what is missing, by a kernel UDP socket, and the answers.
#pragma once

#include <joinleaf/error.h>
#include <joinleaf/session.h>
#include <net/moldudp64.h>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace joinleaf::controlplane {

struct RepairClientCounters {
    std::uint64_t answers = 0;    ///< datagrams from the server
    std::uint64_t strangers = 0;  ///< from anybody else
    std::uint64_t too_long = 0;   ///< from the server, and longer than there was room for
    std::uint64_t unsent = 0;     ///< requests that the kernel did not take
};

/// Never blocks. One thread. Move only.
class RepairClient {
public:
    /// `local` unspecified: as the kernel routes it. Errors: those of socket(2) and bind(2).
    [[nodiscard]] static Result<RepairClient> open(const ControlEndpoint& server,
                                                   Ipv4Address local);
    RepairClient(RepairClient&& other) noexcept;
    RepairClient& operator=(RepairClient&&) = delete;
    ~RepairClient();

    /// What the kernel does not take now is counted and forgotten: it is asked for again.
    void send(const net::MoldRequest& request) noexcept;
    /// The next answer of the server, of octets that fit. Nothing: none waits. What is no answer is
    /// dropped and counted, a few at a time: a flood of it cannot hold the caller.
    [[nodiscard]] std::optional<std::size_t> receive(std::span<std::byte> out) noexcept;

    [[nodiscard]] const RepairClientCounters& counters() const noexcept { return counters_; }

private:
    RepairClient(int descriptor, const ControlEndpoint& server) noexcept
        : descriptor_(descriptor), server_(server) {}

    int descriptor_;
    ControlEndpoint server_;
    RepairClientCounters counters_;
};

}  // namespace joinleaf::controlplane
