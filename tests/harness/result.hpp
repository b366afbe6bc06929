// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "sonde/result.hpp"

namespace sonde::test {

/// What set-up code needs: the value, or an exception with the error's text, which ends the test.
template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace sonde::test
