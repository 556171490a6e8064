// The value of a result, or its error as an exception.
#pragma once

#include <joinleaf/error.h>

#include <stdexcept>
#include <system_error>
#include <type_traits>

template <class T>
T or_throw(joinleaf::Result<T> result) {
    if (!result) throw std::system_error(result.error());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

template <class T>
T or_throw(joinleaf::Parsed<T> parsed) {
    if (!parsed) throw std::runtime_error(parsed.error());
    return *std::move(parsed);
}
