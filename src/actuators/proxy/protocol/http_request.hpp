// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>

namespace sonde::proxy {

enum class HttpRequest : std::uint8_t { no, undecided, yes };

/// Whether a connection that begins so is plain HTTP/1 or HTTP/2: a method and a space.
[[nodiscard]] HttpRequest looks_like_http(std::span<const std::uint8_t> bytes);

}  // namespace sonde::proxy
