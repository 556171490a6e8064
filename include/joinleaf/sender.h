// The sending side of the data plane: payloads written once, in place, in the buffer that the NIC
// will read.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <joinleaf/clock.h>
#include <joinleaf/session.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace JOINLEAF_API joinleaf {

/// An empty buffer to write one datagram's payload into.
struct SendBuffer {
    std::byte* data = nullptr;
    std::uint32_t capacity = 0;  ///< octets that fit, from the port's MTU
    std::uint32_t length = 0;    ///< set by the application: octets written
    void* buffer = nullptr;      ///< the data plane's own
};

/// Called on the worker, once a turn while the port has room: fills up to buffers.size() payloads
/// from the front, sets their lengths, and returns how many. It must not block, allocate or throw.
struct InlineSource {
    std::size_t (*call)(void* context, std::span<SendBuffer> buffers,
                        Instant now) noexcept = nullptr;
    void* context = nullptr;
};

struct SenderOptions {
    /// Datagrams that may wait for the worker; rounded up to a power of two, and to 32 at least.
    std::size_t capacity = 1024;
    /// Groups and ports that each datagram goes to besides, as the B line of an A/B feed. Where the
    /// port transmits chains, a further one costs a header; the payload is not copied. The socket
    /// must send to a group; else, and with FanOut::replicate: invalid_argument.
    std::vector<GroupEndpoint> also;
    /// Datagrams per second at most, however many frames each becomes; 0: as fast as the port takes
    /// them.
    std::uint64_t packets_per_second = 0;
    /// Bits per second at most, counting whole frames on the wire: with preamble, frame check
    /// sequence and gap, 24 octets more than the frame (IEEE 802.3); 0: no limit.
    std::uint64_t bits_per_second = 0;
    /// Datagrams that may leave back to back when a rate is set.
    std::uint32_t burst = 32;
    /// Whether datagrams carry a UDP checksum. Computed by the NIC where it can, else in software;
    /// where a datagram becomes several frames, once in software for all of them.
    bool udp_checksum = true;
    /// When set, the worker asks this for payloads and the queue is not used.
    InlineSource source{};
    /// What the datagrams are. With moldudp64 the socket sends a sequenced feed, by a FeedPublisher
    /// (Socket::feed_publisher) in place of the Sender; there is no `source` then. A root whose
    /// session says so (SessionOffer::framing) need not say it here again.
    Framing framing = Framing::datagram;
};

/// A socket's queue to the worker. One thread at a time; no call locks or enters the kernel.
class Sender {
public:
    Sender() = default;
    Sender(Sender&&) noexcept = default;
    Sender& operator=(Sender&&) noexcept = default;
    ~Sender() = default;

    /// Takes up to out.size() empty buffers. Returns how many; 0 when all are in flight (the port
    /// is slower than the application, or other sockets hold all buffers of the port): try again
    /// later. 0 for ever once the socket has closed.
    [[nodiscard]] std::size_t reserve(std::span<SendBuffer> out) noexcept;
    /// Hands filled buffers to the worker, in order. All of them: there is always room for what
    /// was reserved. A length above the capacity is dropped and counted as oversized.
    void send(std::span<const SendBuffer> filled) noexcept;
    /// Gives reserved buffers back unsent.
    void cancel(std::span<const SendBuffer> unused) noexcept;
    /// Datagrams handed over that the port has neither taken nor dropped yet; none once the socket
    /// has closed.
    [[nodiscard]] std::size_t in_flight() const noexcept;

    class Impl;
    explicit Sender(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace joinleaf
