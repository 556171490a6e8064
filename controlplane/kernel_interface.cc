#include <controlplane/kernel_interface.h>
#include <dataplane/dpdk/error.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace joinleaf::controlplane {
namespace {

using dataplane::dpdk::fail;

// What the drivers change and do not change back.
constexpr short kBorrowedFlags = IFF_PROMISC | IFF_ALLMULTI;
constexpr unsigned kTagOctets = 4;

/// An ioctl about the interface; its errno, or 0.
int ask(unsigned long what, const std::string& name, ifreq& request) {
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    const int code = ioctl(fd, what, &request) == 0 ? 0 : errno;
    close(fd);
    return code;
}

}  // namespace

KernelInterface::KernelInterface(std::string name) : name_(std::move(name)) {
    ifreq mtu{};
    ifreq flags{};
    int code = ask(SIOCGIFMTU, name_, mtu);
    if (code == 0) code = ask(SIOCGIFFLAGS, name_, flags);
    if (code != 0) {
        fail(code, fmt::format("there is no network interface '{}'; 'ip link' lists what there is",
                               name_));
    }
    mtu_ = static_cast<unsigned>(mtu.ifr_mtu);
    flags_ = flags.ifr_flags;

    const int probe = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        fail(errno, fmt::format("no permission to open '{}'; run as root, or give the program "
                                "CAP_NET_RAW (setcap cap_net_raw+ep)",
                                name_));
    }
    close(probe);
}

KernelInterface::~KernelInterface() {
    ifreq request{};
    if (ask(SIOCGIFFLAGS, name_, request) != 0) return;  // the interface is gone
    const auto now = request.ifr_flags;
    const auto then = static_cast<short>((now & ~kBorrowedFlags) | (flags_ & kBorrowedFlags));
    if (now == then) return;
    request.ifr_flags = then;
    ask(SIOCSIFFLAGS, name_, request);
}

void KernelInterface::check_mtu(unsigned mtu, unsigned tags) const {
    // The kernel lets one 802.1Q tag pass on top of the MTU, but nothing that begins with 802.1ad.
    const unsigned extra = tags > 1 ? tags * kTagOctets : 0;
    if (mtu + extra <= mtu_) return;
    fail(EMSGSIZE,
         fmt::format("interface '{0}' carries packets of up to {1} octets{2}, not {3}; "
                     "use an MTU of {1}, or 'ip link set {0} mtu {4}'",
                     name_, mtu_ - extra,
                     extra > 0 ? fmt::format(" behind {} VLAN tags", tags) : "", mtu, mtu + extra));
}

bool KernelInterface::is_running() const {
    ifreq request{};
    if (ask(SIOCGIFFLAGS, name_, request) != 0) return false;  // the interface is gone
    constexpr short kRunning = IFF_UP | IFF_RUNNING;
    return (request.ifr_flags & kRunning) == kRunning;
}

}  // namespace joinleaf::controlplane
