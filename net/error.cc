// The Winsock names of the errors, as the multipoint rules list them.
#include <joinleaf/error.h>

namespace joinleaf {

std::string_view winsock_name(const std::error_code& code) noexcept {
    if (code.category() != std::generic_category()) return {};
    switch (static_cast<std::errc>(code.value())) {
        case std::errc::address_in_use:
            return "WSAEADDRINUSE";
        case std::errc::address_not_available:
            return "WSAEADDRNOTAVAIL";
        case std::errc::address_family_not_supported:
            return "WSAEAFNOSUPPORT";
        case std::errc::connection_already_in_progress:
            return "WSAEALREADY";
        case std::errc::connection_refused:
            return "WSAECONNREFUSED";
        case std::errc::connection_reset:
            return "WSAECONNRESET";
        case std::errc::invalid_argument:
            return "WSAEINVAL";
        case std::errc::already_connected:
            return "WSAEISCONN";
        case std::errc::message_size:
            return "WSAEMSGSIZE";
        case std::errc::network_down:
            return "WSAENETDOWN";
        case std::errc::network_unreachable:
            return "WSAENETUNREACH";
        case std::errc::no_buffer_space:
            return "WSAENOBUFS";
        case std::errc::not_a_socket:
            return "WSAENOTSOCK";
        case std::errc::operation_not_supported:
            return "WSAEOPNOTSUPP";
        case std::errc::timed_out:
            return "WSAETIMEDOUT";
        case std::errc::operation_would_block:
            return "WSAEWOULDBLOCK";
        case std::errc::permission_denied:
            return "WSAEACCES";
        default:
            return {};
    }
}

}  // namespace joinleaf
