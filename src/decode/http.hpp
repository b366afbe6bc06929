// SPDX-License-Identifier: Apache-2.0
// HTTP/1 start lines (RFC 9112 2 to 4).
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "decode/bytes.hpp"

namespace sonde::decode {

/// Views point into the payload and hold the bytes as sent: escape them before printing.
struct HttpMessage {
  bool request = false;
  bool cut = false;           ///< the start line goes on beyond the payload
  std::string_view method{};  ///< request
  std::string_view target{};  ///< request; what there is of it when cut
  std::string_view host{};    ///< request: value of the first Host field; empty: none, or not in this payload
  int status = 0;             ///< response: 100 to 999
  std::string_view reason{};  ///< response; may be empty
  char minor_version = 0;     ///< '0' or '1' of HTTP/1.x; 0: cut before it
};

/// The message that begins at the payload's first byte; nothing if none does.
[[nodiscard]] std::optional<HttpMessage> decode_http(Bytes payload);

/// The methods by which a request is known.
[[nodiscard]] std::span<const std::string_view> http_methods();

/// "HTTP GET /index.html Host: example.com", "HTTP 200 OK"; "HTTP/1.0 ..." for 1.0; " [cut]" at the end when cut.
[[nodiscard]] std::string to_text(const HttpMessage& message);

}  // namespace sonde::decode
