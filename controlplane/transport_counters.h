// What an admission transport has let in, turned away and lost, each by its name.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace joinleaf::controlplane {

struct TransportCounters {
    std::uint64_t accepted = 0;     ///< connections that others made, whatever became of them
    std::uint64_t established = 0;  ///< of these: sent a good first message in time
    std::uint64_t dialed = 0;
    std::uint64_t connected = 0;  ///< of these: TLS included

    // Half-open connections that were turned away.
    std::uint64_t half_open_gave_up = 0;   ///< the peer closed before its first message
    std::uint64_t half_open_too_late = 0;  ///< handshake_within
    std::uint64_t half_open_evicted = 0;   ///< max_half_open or max_connections: the greediest's
    std::uint64_t address_too_fast = 0;    ///< past its address's token bucket
    std::uint64_t refused_full = 0;        ///< max_connections, and none half-open
    std::uint64_t tls_failed = 0;          ///< a wrong key, a bad certificate, not TLS; both ways
    std::uint64_t wrong_version = 0;       ///< a first message of another version

    // Any connection.
    std::uint64_t bad_messages = 0;  ///< garbage, a field out of its limits, an unknown kind
    std::uint64_t too_long = 0;      ///< max_message
    std::uint64_t slow_readers = 0;  ///< max_queued
    std::uint64_t unsendable = 0;    ///< messages of our own that broke a limit
    std::uint64_t linger_cut = 0;    ///< what was queued could not be written within linger

    std::uint64_t dial_failed = 0;
    std::uint64_t out_of_files = 0;   ///< accept found no descriptor, and waited
    std::uint64_t accept_errors = 0;  ///< other failures of accept

    std::uint64_t messages_received = 0;
    std::uint64_t messages_sent = 0;
};

struct NamedTransportCounter {
    std::string_view name;
    std::uint64_t TransportCounters::*value;
};

/// Every counter by name, for the status page.
inline constexpr std::array kTransportCounters{
    NamedTransportCounter{"accepted", &TransportCounters::accepted},
    NamedTransportCounter{"established", &TransportCounters::established},
    NamedTransportCounter{"dialed", &TransportCounters::dialed},
    NamedTransportCounter{"connected", &TransportCounters::connected},
    NamedTransportCounter{"half_open_gave_up", &TransportCounters::half_open_gave_up},
    NamedTransportCounter{"half_open_too_late", &TransportCounters::half_open_too_late},
    NamedTransportCounter{"half_open_evicted", &TransportCounters::half_open_evicted},
    NamedTransportCounter{"address_too_fast", &TransportCounters::address_too_fast},
    NamedTransportCounter{"refused_full", &TransportCounters::refused_full},
    NamedTransportCounter{"tls_failed", &TransportCounters::tls_failed},
    NamedTransportCounter{"wrong_version", &TransportCounters::wrong_version},
    NamedTransportCounter{"bad_messages", &TransportCounters::bad_messages},
    NamedTransportCounter{"too_long", &TransportCounters::too_long},
    NamedTransportCounter{"slow_readers", &TransportCounters::slow_readers},
    NamedTransportCounter{"unsendable", &TransportCounters::unsendable},
    NamedTransportCounter{"linger_cut", &TransportCounters::linger_cut},
    NamedTransportCounter{"dial_failed", &TransportCounters::dial_failed},
    NamedTransportCounter{"out_of_files", &TransportCounters::out_of_files},
    NamedTransportCounter{"accept_errors", &TransportCounters::accept_errors},
    NamedTransportCounter{"messages_received", &TransportCounters::messages_received},
    NamedTransportCounter{"messages_sent", &TransportCounters::messages_sent},
};
static_assert(kTransportCounters.size() * sizeof(std::uint64_t) == sizeof(TransportCounters));

}  // namespace joinleaf::controlplane
