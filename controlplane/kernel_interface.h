// The kernel's side of a port that is a network interface: what it carries, and its flags, which
// are put back at the end.
#pragma once

#include <optional>
#include <string>

namespace joinleaf::controlplane {

/// A network interface while a port uses it. The drivers for kernel interfaces make it
/// promiscuous and leave it so; the destructor, after the port is closed, puts that right.
class KernelInterface {
public:
    /// Errors: throws std::system_error when there is no such interface, or no right to open it.
    explicit KernelInterface(std::string name);
    KernelInterface(const KernelInterface&) = delete;
    KernelInterface& operator=(const KernelInterface&) = delete;
    ~KernelInterface();

    /// Errors: throws std::system_error with the cure when packets of `mtu` octets behind `tags`
    /// VLAN tags would not leave: the kernel drops them without a word.
    void check_mtu(unsigned mtu, unsigned tags) const;

    /// Whether it is up and its cable is in; the drivers for kernel interfaces do not tell.
    [[nodiscard]] bool is_running() const;

private:
    std::string name_;
    unsigned mtu_ = 0;
    short flags_ = 0;
};

}  // namespace joinleaf::controlplane
