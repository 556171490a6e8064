// How joinleaf reports failure: result types, and the std::errc that stands for each Winsock error.
#pragma once

#include <joinleaf/api.h>

#include <string>
#include <string_view>
#include <system_error>
#include <tl/expected.hpp>

namespace JOINLEAF_API joinleaf {

/// The outcome of an operation that may fail in normal life. Set-up that cannot go on throws
/// std::system_error instead; the packet path counts (see drop_reason.h).
template <class T>
using Result = tl::expected<T, std::error_code>;

/// The outcome of reading what a person typed; the error is one sentence that names the thing
/// and the cure.
template <class T>
using Parsed = tl::expected<T, std::string>;

[[nodiscard]] inline tl::unexpected<std::error_code> failure(std::errc code) {
    return tl::unexpected(std::make_error_code(code));
}

/// The Winsock name (WSAE...) of the error that `code` stands for in the multipoint rules; empty
/// when there is none. Any thread.
[[nodiscard]] std::string_view winsock_name(const std::error_code& code) noexcept;

}  // namespace joinleaf
