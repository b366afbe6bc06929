// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/protocol/http_request.hpp"

#include <algorithm>
#include <string_view>

#include "decode/bytes.hpp"
#include "decode/http.hpp"

namespace sonde::proxy {

namespace {

constexpr std::string_view http2_preface = "PRI";  // RFC 9113 3.4

HttpRequest begins_with(std::string_view text, std::string_view method) {
  if (!method.starts_with(text.substr(0, method.size()))) return HttpRequest::no;
  if (text.size() <= method.size()) return HttpRequest::undecided;
  return text[method.size()] == ' ' ? HttpRequest::yes : HttpRequest::no;
}

}  // namespace

HttpRequest looks_like_http(std::span<const std::uint8_t> bytes) {
  const std::string_view text = decode::as_text(bytes);
  HttpRequest result = begins_with(text, http2_preface);
  for (const std::string_view method : decode::http_methods()) result = std::max(result, begins_with(text, method));
  return result;
}

}  // namespace sonde::proxy
