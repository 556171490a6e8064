// The kernel's own ways over the same wire: UDP multicast through sockets, by the batch, with and
// without segmentation offload.
//
//   kernel_udp receive  counts what is missing, until SIGTERM
//   kernel_udp send     sends for --seconds as fast as the kernel takes it
//   kernel_udp echo     sends back what it receives, until SIGTERM
//   kernel_udp ping     for --seconds sends a datagram, and the next when it is back
//
// With --segments N each message of a batch is N datagrams (UDP_SEGMENT), and a receiver takes them
// N at a time (UDP_GRO). All of them spin. Prints as `link` does.
#include <arpa/inet.h>
#include <bench/exchange.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>

namespace {

using namespace joinleaf;
using namespace joinleaf::bench;

using Clock = std::chrono::steady_clock;

constexpr int kReceiveBuffer = 32 << 20;  // room for a few ms at the highest rate
constexpr std::size_t kMaxDatagram = 65507;
constexpr std::uint16_t kPort = 5000;
// As link does: there and back.
constexpr const char* kThere = "239.1.0.0";
constexpr const char* kBack = "239.1.0.1";

struct Options {
    std::string mode;
    std::string interface_address;
    std::uint32_t payload = 64;
    std::uint32_t batch = 64;
    std::uint32_t segments = 1;
    double seconds = 1;
    std::optional<unsigned> cpu;
};

void must(int result, const char* what) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

in_addr address_of(const std::string& text) {
    in_addr address{};
    if (inet_pton(AF_INET, text.c_str(), &address) != 1) {
        throw std::runtime_error("not an IPv4 address: " + text);
    }
    return address;
}

class Socket {
public:
    explicit Socket(const std::string& interface_address)
        : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
          interface_(address_of(interface_address)) {
        must(fd_, "socket");
    }
    ~Socket() { close(fd_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    [[nodiscard]] int fd() const { return fd_; }

    void send_to(const char* group, std::uint32_t payload, std::uint32_t segments) const {
        set(IPPROTO_IP, IP_MULTICAST_IF, interface_, "IP_MULTICAST_IF");
        set(IPPROTO_IP, IP_MULTICAST_LOOP, 0, "IP_MULTICAST_LOOP");
        if (segments > 1) {
            set(SOL_UDP, UDP_SEGMENT, static_cast<int>(payload), "UDP_SEGMENT");
        }
        const auto to = endpoint(address_of(group));
        must(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
    }
    void receive_from(const char* group, std::uint32_t segments) const {
        set(SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer, "SO_RCVBUFFORCE (needs CAP_NET_ADMIN)");
        const auto at = endpoint(address_of(group));
        must(bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at), "bind");
        set(IPPROTO_IP, IP_ADD_MEMBERSHIP,
            ip_mreq{.imr_multiaddr = at.sin_addr, .imr_interface = interface_},
            "IP_ADD_MEMBERSHIP");
        if (segments > 1) set(SOL_UDP, UDP_GRO, 1, "UDP_GRO");
    }

private:
    static sockaddr_in endpoint(in_addr address) {
        sockaddr_in endpoint{};
        endpoint.sin_family = AF_INET;
        endpoint.sin_addr = address;
        endpoint.sin_port = htons(kPort);
        return endpoint;
    }
    template <class T>
    void set(int level, int option, const T& value, const char* what) const {
        must(setsockopt(fd_, level, option, &value, sizeof value), what);
    }

    int fd_;
    in_addr interface_;
};

// Messages of up to `size` octets each, with room for what the kernel says about them.
class Batch {
public:
    Batch(std::size_t count, std::size_t size)
        : size_(size), memory_(count * size), controls_(count), vectors_(count), headers_(count) {
        for (std::size_t i = 0; i < count; ++i) {
            vectors_[i] = {.iov_base = data(i), .iov_len = size};
            headers_[i].msg_hdr.msg_iov = &vectors_[i];
            headers_[i].msg_hdr.msg_iovlen = 1;
        }
    }
    [[nodiscard]] std::byte* data(std::size_t i) { return &memory_[i * size_]; }
    [[nodiscard]] std::size_t count() const { return headers_.size(); }
    [[nodiscard]] std::size_t received(std::size_t i) const { return headers_[i].msg_len; }

    /// Returns how many messages went out.
    [[nodiscard]] std::size_t send(int fd) {
        const int n = sendmmsg(fd, headers_.data(), static_cast<unsigned>(count()), 0);
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) must(n, "sendmmsg");
        return 0;
    }
    [[nodiscard]] std::size_t receive(int fd) {
        for (std::size_t i = 0; i < count(); ++i) {
            headers_[i].msg_hdr.msg_control = &controls_[i];
            headers_[i].msg_hdr.msg_controllen = sizeof(Control);
        }
        const int n = recvmmsg(fd, headers_.data(), static_cast<unsigned>(count()), 0, nullptr);
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno != EAGAIN && errno != EINTR) must(n, "recvmmsg");
        return 0;
    }
    /// The octets of each datagram in a message that the kernel has put together.
    [[nodiscard]] std::size_t segment_size(std::size_t i) {
        msghdr& header = headers_[i].msg_hdr;
        for (auto* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
            if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
            int size = 0;
            std::memcpy(&size, CMSG_DATA(c), sizeof size);
            return static_cast<std::size_t>(size);
        }
        return received(i);
    }

private:
    struct alignas(cmsghdr) Control {
        std::byte octets[64];
    };
    std::size_t size_;
    std::vector<std::byte> memory_;
    std::vector<Control> controls_;
    std::vector<iovec> vectors_;
    std::vector<mmsghdr> headers_;
};

std::uint64_t sequence_at(const std::byte* payload) {
    std::uint64_t sequence = 0;
    std::memcpy(&sequence, payload, sizeof sequence);
    return sequence;
}

Instant end_of(const Options& options) {
    return Clock::now() +
           std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.seconds));
}

std::string run_send(const Options& options) {
    const Socket socket(options.interface_address);
    socket.send_to(kThere, options.payload, options.segments);
    const std::size_t payload = options.payload;
    Batch batch(options.batch, payload * options.segments);
    say("{\"ready\":true}");
    const auto start = Clock::now();
    const auto end = end_of(options);
    std::uint64_t sequence = 0;  // of the first datagram that has not gone out
    for (Instant now = start; now < end; now = Clock::now()) {
        std::uint64_t next = sequence;
        for (std::size_t i = 0; i < batch.count(); ++i) {
            for (std::size_t j = 0; j < options.segments; ++j, ++next) {
                std::memcpy(batch.data(i) + j * payload, &next, sizeof next);
            }
        }
        sequence += batch.send(socket.fd()) * options.segments;
    }
    return sent_json(sequence, std::chrono::duration<double>(Clock::now() - start).count());
}

// Whether the signal has come: asked once in a while, for it is a system call.
class Asked {
public:
    explicit Asked(const EndSignals& end) : end_(end) {}
    [[nodiscard]] bool to_end() {
        constexpr unsigned kEvery = 256;
        return ++asked_ % kEvery == 0 && end_.wait(Duration::zero());
    }

private:
    const EndSignals& end_;
    unsigned asked_ = 0;
};

std::string run_receive(const Options& options, const EndSignals& end) {
    const Socket socket(options.interface_address);
    socket.receive_from(kThere, options.segments);
    Batch batch(options.batch, options.segments > 1 ? kMaxDatagram : options.payload);
    Arrived arrived;
    say("{\"ready\":true}");
    for (Asked asked(end); !asked.to_end();) {
        const std::size_t n = batch.receive(socket.fd());
        if (n == 0) continue;
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t segment = batch.segment_size(i);
            if (segment < sizeof(std::uint64_t)) continue;
            for (std::size_t at = 0; at + segment <= batch.received(i); at += segment) {
                arrived.take(sequence_at(batch.data(i) + at));
            }
        }
        arrived.at(Clock::now());
    }
    return arrived.json();
}

std::string run_ping(const Options& options) {
    const Socket to(options.interface_address);
    const Socket from(options.interface_address);
    to.send_to(kThere, options.payload, 1);
    from.receive_from(kBack, 1);
    std::vector<std::byte> datagram(options.payload);
    RoundTrips trips;
    say("{\"ready\":true}");
    const auto end = end_of(options);
    for (Instant now = Clock::now(); now < end; now = Clock::now()) {
        if (trips.ready(now)) {
            const auto sequence = trips.leave(now);
            std::memcpy(datagram.data(), &sequence, sizeof sequence);
            if (send(to.fd(), datagram.data(), datagram.size(), 0) < 0 && errno != EAGAIN) {
                must(-1, "send");
            }
        }
        const auto n = recv(from.fd(), datagram.data(), datagram.size(), 0);
        if (n >= static_cast<ssize_t>(sizeof(std::uint64_t))) {
            trips.back(sequence_at(datagram.data()), Clock::now());
        }
    }
    return trips.json();
}

std::string run_echo(const Options& options, const EndSignals& end) {
    const Socket to(options.interface_address);
    const Socket from(options.interface_address);
    to.send_to(kBack, options.payload, 1);
    from.receive_from(kThere, 1);
    std::vector<std::byte> datagram(options.payload);
    std::uint64_t echoed = 0;
    say("{\"ready\":true}");
    for (Asked asked(end); !asked.to_end();) {
        const auto n = recv(from.fd(), datagram.data(), datagram.size(), 0);
        if (n < 0) continue;
        if (send(to.fd(), datagram.data(), static_cast<std::size_t>(n), 0) == n) ++echoed;
    }
    return fmt::format("{{\"echoed\":{}}}", echoed);
}

std::string run(const Options& options, const EndSignals& end) {
    if (options.mode == "send") return run_send(options);
    if (options.mode == "receive") return run_receive(options, end);
    if (options.mode == "ping") return run_ping(options);
    return run_echo(options, end);
}

void pin_to(unsigned cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    must(sched_setaffinity(0, sizeof set, &set), "--cpu");
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    CLI::App app("UDP multicast by the kernel, to compare with");
    app.add_option("mode", options.mode, "receive, send, echo or ping")
        ->required()
        ->check(CLI::IsMember({"receive", "send", "echo", "ping"}));
    app.add_option("--address", options.interface_address, "of the interface to use")->required();
    app.add_option("--payload", options.payload, "payload octets")->check(CLI::Range(8, 1472));
    app.add_option("--batch", options.batch, "messages a system call")->check(CLI::Range(1, 1024));
    app.add_option("--segments", options.segments, "datagrams a message")->check(CLI::Range(1, 64));
    app.add_option("--seconds", options.seconds, "how long to send")->check(CLI::Range(0.1, 600.0));
    app.add_option("--cpu", options.cpu, "to run on");
    CLI11_PARSE(app, argc, argv);
    if (std::size_t{options.payload} * options.segments > kMaxDatagram) {
        throw std::runtime_error("payload times segments is more than a UDP datagram holds");
    }

    if (options.cpu) pin_to(*options.cpu);
    const EndSignals end;
    say(run(options, end));
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "kernel_udp: {}\n", error.what());
    return 1;
}
