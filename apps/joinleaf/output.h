// Where a leaf's payloads go: a file, standard output, or nowhere. Nothing is lost silently.
#pragma once

#include <apps/joinleaf/descriptor.h>
#include <joinleaf/receiver.h>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace joinleaf::app {

/// Collects payloads into large writes. One thread.
class Output {
public:
    /// Whether open() is likely to succeed; changes nothing. Errors: throws Failure.
    static void check(const std::string& path, std::string_view option = "--output");
    /// `path` (made, or emptied if it is there), "-" for standard output, "null" for nowhere.
    /// Errors: throws Failure.
    [[nodiscard]] static Output open(const std::string& path, std::string_view option = "--output");
    /// Takes over a descriptor; `name` and `option`, which lasts, are used in errors.
    Output(Descriptor fd, std::string name, std::string_view option = "--output");

    /// From now on a reader that does not read is not waited for once `fd` is readable.
    void stop_waiting_on(int fd) noexcept { stop_fd_ = fd; }

    /// Appends a payload. Errors: throws Failure, which tells the octets that were written.
    void append(const Datagram& datagram);
    void append(std::span<const std::byte> octets);
    /// Writes what has been collected. Errors: as append().
    void flush();
    /// flush(), and hears the file system's last word. Errors: as append().
    void close();

    /// Octets that wait for the next write.
    [[nodiscard]] std::size_t waiting() const noexcept { return filled_; }
    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

private:
    static constexpr std::size_t kCollect = std::size_t{1} << 20;

    [[noreturn]] void fail(int code) const;
    void wait_for_reader() const;

    Descriptor fd_;  // none: payloads go nowhere
    std::string name_;
    std::string_view option_;
    std::vector<std::byte> collected_;
    std::size_t filled_ = 0;
    std::uint64_t written_ = 0;
    int stop_fd_ = -1;
    bool is_pipe_ = false;
};

}  // namespace joinleaf::app
