// The receiving side of the data plane: datagrams in place, by queue or inline on the worker.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <joinleaf/clock.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace JOINLEAF_API joinleaf {

/// Names a socket within its runtime; never reused.
enum class SocketId : std::uint32_t {};

/// One received datagram, still in the buffer the NIC wrote it to. Nobody writes into it. Valid
/// until it is released (queue) or until the handler returns (inline).
class Datagram {
public:
    /// The payload when it is contiguous, else its first part. Most datagrams are contiguous.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, first_}; }
    /// Payload octets in all.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool is_contiguous() const noexcept { return first_ == size_; }
    /// Copies the payload, whatever its parts. Returns the octets copied: min(size(), out.size()).
    std::size_t copy_to(std::span<std::byte> out) const noexcept;

    /// The socket this copy is for.
    [[nodiscard]] SocketId socket() const noexcept { return socket_; }
    /// What SocketOptions::cookie said.
    [[nodiscard]] std::uint64_t cookie() const noexcept { return cookie_; }
    [[nodiscard]] Ipv4Address source() const noexcept { return source_; }
    /// Host order; 0 is legal on the wire (no reply wanted).
    [[nodiscard]] std::uint16_t source_port() const noexcept { return source_port_; }
    /// When the burst that brought it was read from the port.
    [[nodiscard]] Instant received_at() const noexcept { return received_at_; }

    // The fields are public to the data plane that fills them; applications use the functions.
    const std::byte* data_ = nullptr;
    void* buffer_ = nullptr;
    std::uint64_t cookie_ = 0;
    Instant received_at_{};
    std::uint32_t size_ = 0;
    std::uint32_t first_ = 0;
    Ipv4Address source_;
    SocketId socket_{};
    std::uint16_t source_port_ = 0;
};

/// Called on the worker with datagrams of one burst for the sockets that have this very handler
/// (call and context); Datagram::socket() and cookie() tell whose each is. It must not block,
/// allocate, throw or keep a datagram: the buffers go back when it returns.
struct InlineHandler {
    void (*call)(void* context, std::span<const Datagram> datagrams) noexcept = nullptr;
    void* context = nullptr;
};

struct ReceiverOptions {
    std::size_t port = 0;  ///< index into RuntimeOptions::ports
    /// Which of the port's queues (PortOptions::queues) its sockets are at home on.
    std::size_t queue = 0;
    /// Datagrams that may wait for the application; rounded up to a power of two. When it is full
    /// the worker drops and counts receive_queue_full.
    std::size_t capacity = 4096;
};

/// A queue from one worker to one application thread, shared by any number of sockets of a port (of
/// a queue of it, where it has several).
/// receive() and release() belong to one thread at a time; they neither lock nor enter the kernel.
class Receiver {
public:
    Receiver() = default;
    Receiver(Receiver&&) noexcept = default;
    Receiver& operator=(Receiver&&) noexcept = default;
    ~Receiver() = default;

    /// Takes up to out.size() datagrams, oldest first. Returns how many; 0 when none waits. Each
    /// must be given back with release(), in any order.
    [[nodiscard]] std::size_t receive(std::span<Datagram> out) noexcept;
    /// Gives buffers back to the port. A datagram must not be used afterwards.
    void release(std::span<const Datagram> datagrams) noexcept;

    /// Takes one burst, calls `use(std::span<const Datagram>)`, and gives the buffers back.
    /// Returns how many there were.
    template <class Use>
    std::size_t consume(Use&& use) {
        Datagram burst[32];
        const std::size_t n = receive(burst);
        if (n == 0) return 0;
        const std::span<const Datagram> taken(burst, n);
        struct Guard {
            Receiver& receiver;
            std::span<const Datagram> taken;
            ~Guard() { receiver.release(taken); }
        } guard{*this, taken};
        use(taken);
        return n;
    }

    class Impl;
    explicit Receiver(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    [[nodiscard]] const std::shared_ptr<Impl>& impl() const noexcept { return impl_; }

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace joinleaf
