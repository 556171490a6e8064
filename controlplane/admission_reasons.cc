// Errors that admission messages tell, by their numbers in admission.proto.
#include <controlplane/admission_wire.h>

#include <algorithm>
#include <array>
#include <utility>

namespace joinleaf::controlplane {
namespace {

constexpr std::array kReasons{
    std::pair{wire::REASON_GOOD_ORDER, std::errc{}},
    std::pair{wire::REASON_OTHER, std::errc::io_error},
    std::pair{wire::REASON_ADDRESS_IN_USE, std::errc::address_in_use},
    std::pair{wire::REASON_ADDRESS_NOT_AVAILABLE, std::errc::address_not_available},
    std::pair{wire::REASON_ADDRESS_FAMILY_NOT_SUPPORTED, std::errc::address_family_not_supported},
    std::pair{wire::REASON_CONNECTION_ALREADY_IN_PROGRESS,
              std::errc::connection_already_in_progress},
    std::pair{wire::REASON_CONNECTION_REFUSED, std::errc::connection_refused},
    std::pair{wire::REASON_CONNECTION_RESET, std::errc::connection_reset},
    std::pair{wire::REASON_INVALID_ARGUMENT, std::errc::invalid_argument},
    std::pair{wire::REASON_ALREADY_CONNECTED, std::errc::already_connected},
    std::pair{wire::REASON_NETWORK_DOWN, std::errc::network_down},
    std::pair{wire::REASON_NETWORK_UNREACHABLE, std::errc::network_unreachable},
    std::pair{wire::REASON_NO_BUFFER_SPACE, std::errc::no_buffer_space},
    std::pair{wire::REASON_NOT_A_SOCKET, std::errc::not_a_socket},
    std::pair{wire::REASON_OPERATION_NOT_SUPPORTED, std::errc::operation_not_supported},
    std::pair{wire::REASON_TIMED_OUT, std::errc::timed_out},
    std::pair{wire::REASON_OPERATION_WOULD_BLOCK, std::errc::operation_would_block},
    std::pair{wire::REASON_MESSAGE_SIZE, std::errc::message_size},
    std::pair{wire::REASON_PERMISSION_DENIED, std::errc::permission_denied},
    std::pair{wire::REASON_CONNECTION_ABORTED, std::errc::connection_aborted},
    std::pair{wire::REASON_OPERATION_CANCELED, std::errc::operation_canceled},
    std::pair{wire::REASON_PROTOCOL_ERROR, std::errc::protocol_error},
    std::pair{wire::REASON_PROTOCOL_NOT_SUPPORTED, std::errc::protocol_not_supported},
    std::pair{wire::REASON_HOST_UNREACHABLE, std::errc::host_unreachable},
};

}  // namespace

wire::Reason number_of(std::errc reason) {
    const auto* const found = std::find_if(kReasons.begin(), kReasons.end(),
                                           [&](const auto& row) { return row.second == reason; });
    return found == kReasons.end() ? wire::REASON_OTHER : found->first;
}

tl::expected<std::errc, DecodeError> reason_of(wire::Reason number, std::string_view field) {
    const auto* const found = std::find_if(kReasons.begin(), kReasons.end(),
                                           [&](const auto& row) { return row.first == number; });
    if (found == kReasons.end()) {
        return tl::unexpected(DecodeError{DecodeError::Kind::out_of_range, field});
    }
    return found->second;
}

}  // namespace joinleaf::controlplane
