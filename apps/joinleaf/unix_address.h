// The address of a Unix socket.
#pragma once

#include <apps/joinleaf/failure.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <string_view>

namespace joinleaf::app {

/// Of the socket at `path`. Errors: throws a system_failure of `doing` that ends with `cure` when
/// the path is too long for one.
[[nodiscard]] inline sockaddr_un unix_address(const std::string& path, std::string_view doing,
                                              std::string_view cure) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        throw system_failure(doing, path, ENAMETOOLONG, cure);
    }
    std::ranges::copy(path, std::begin(address.sun_path));
    return address;
}

}  // namespace joinleaf::app
