// What a root publishes: a file or standard input, read straight into the buffers that the port
// will send.
#pragma once

#include <apps/joinleaf/descriptor.h>
#include <joinleaf/sender.h>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace joinleaf::app {

/// One thread.
class Input {
public:
    /// `path` or "-" for standard input; `option` is what it was named with. Errors: throws Failure
    /// (missing, unreadable, a directory).
    [[nodiscard]] static Input open(const std::string& path, std::string_view option = "--input");
    /// Takes over a descriptor; `name` is used in errors.
    Input(Descriptor fd, std::string name, std::string_view option = "--input");

    struct Step {
        std::size_t complete = 0;  ///< buffers at the front that are ready to send
        bool ended = false;        ///< nothing more will come
    };

    /// Reads once into `buffers`, each up to `chunk` octets, going on where the one before ended;
    /// SendBuffer::length says how far a buffer is filled. A buffer is complete when it holds
    /// `chunk` octets or the input has ended; a line from a terminal is complete as it is.
    /// Errors: throws Failure.
    [[nodiscard]] Step read(std::span<SendBuffer> buffers, std::uint32_t chunk);

    /// Whether read() may have to wait for somebody else (a pipe, a terminal, a socket).
    [[nodiscard]] bool may_block() const noexcept { return may_block_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] std::uint64_t octets() const noexcept { return octets_; }

private:
    Descriptor fd_;
    std::string name_;
    std::uint64_t octets_ = 0;
    bool may_block_ = false;
    bool line_by_line_ = false;
};

}  // namespace joinleaf::app
