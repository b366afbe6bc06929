// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/protocol/hello.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "actuators/proxy/config/server_name.hpp"
#include "actuators/proxy/protocol/http_request.hpp"
#include "actuators/proxy/protocol/ja4.hpp"
#include "decode/tls.hpp"

namespace sonde::proxy {
namespace {

constexpr std::uint8_t record_alert = 21;
constexpr std::uint8_t record_handshake = 22;
constexpr std::uint8_t alert_fatal = 2;
constexpr std::uint8_t major_version =
    3;  // of SSL 3.0 and every TLS; what follows it is not to be looked at (RFC 8446 5.1)
constexpr std::size_t record_header = 5;
constexpr std::size_t message_header = 4;
constexpr std::size_t most_of_record = 16384;  // RFC 8446 5.1: plain text
constexpr std::size_t least_of_hello = 38;  // version, random, empty session, a suite less, a compression method less
constexpr std::uint16_t extension_encrypted_hello = 0xfe0d;  // RFC 9849

std::size_t message_size(std::span<const std::uint8_t> header) {
  return std::size_t{header[1]} << 16 | std::size_t{header[2]} << 8 | header[3];
}

// RFC 8446 4.2: not more than one extension of a type. With two names a proxy and a server could see different ones.
bool has_twins(const std::vector<decode::TlsExtension>& extensions) {
  std::vector<std::uint16_t> types;
  types.reserve(extensions.size());
  for (const auto& extension : extensions) types.push_back(extension.type);
  std::ranges::sort(types);
  return std::ranges::adjacent_find(types) != types.end();
}

// RFC 5246 7.4.1.2: what vectors may hold.
bool is_sound(const decode::TlsClientHello& parts) {
  return parts.exact && parts.version >> 8 == major_version && parts.session.size() <= 32 &&
         parts.cipher_suites.size() >= 2 && parts.cipher_suites.size() % 2 == 0 && !parts.compression_methods.empty() &&
         !has_twins(parts.extensions);
}

bool take_server_name(Bytes extension, ClientHello& hello) {
  const auto found = decode::read_server_name(extension);
  if (found.exact) hello.server_name = fold_server_name(found.name);
  return !hello.server_name.empty();
}

bool take_alpn(Bytes extension, ClientHello& hello) {
  auto found = decode::read_alpn(extension);
  hello.alpn = std::move(found.names);
  return found.exact;
}

std::optional<ClientHello> read_hello(Bytes body) {
  const auto parts = decode::split_client_hello(body);
  if (!is_sound(parts)) return std::nullopt;
  ClientHello hello;
  for (const auto& extension : parts.extensions) {
    if (extension.type == decode::tls_extension_server_name && !take_server_name(extension.data, hello)) {
      return std::nullopt;
    }
    if (extension.type == decode::tls_extension_alpn && !take_alpn(extension.data, hello)) return std::nullopt;
    hello.encrypted = hello.encrypted || extension.type == extension_encrypted_hello;
  }
  hello.ja4 = ja4(parts, hello.alpn);
  return hello;
}

}  // namespace

HelloState HelloReader::read(Bytes bytes) {
  if (state_ != HelloState::incomplete) return state_;
  const Bytes within = bytes.first(std::min(bytes.size(), most_bytes_));
  state_ = first_bytes(within);
  if (state_ == HelloState::incomplete) state_ = take(within);
  if (state_ == HelloState::incomplete && bytes.size() >= most_bytes_) state_ = HelloState::too_long;
  return state_;
}

// Only of a connection's beginning, so that what is no TLS is not taken for it.
HelloState HelloReader::first_bytes(Bytes bytes) {
  if (seen_ > 0 || bytes.empty() || bytes[0] == record_handshake) return HelloState::incomplete;
  switch (looks_like_http(bytes)) {
    case HttpRequest::yes: return HelloState::plain_http;
    case HttpRequest::undecided: return HelloState::incomplete;
    case HttpRequest::no: break;
  }
  return HelloState::not_tls;
}

HelloState HelloReader::take(Bytes bytes) {
  while (seen_ < bytes.size()) {
    if (record_left_ == 0) {
      const HelloState state = take_record_header(bytes.subspan(seen_));
      if (state != HelloState::incomplete || record_left_ == 0) return state;
      continue;
    }
    const Bytes part = bytes.subspan(seen_, std::min(record_left_, bytes.size() - seen_));
    message_.insert(message_.end(), part.begin(), part.end());
    seen_ += part.size();
    record_left_ -= part.size();
    const HelloState state = take_message();
    if (state != HelloState::incomplete) return state;
  }
  return HelloState::incomplete;
}

// `bytes`: from the header on. Says what is wrong with the first byte that is.
HelloState HelloReader::take_record_header(Bytes bytes) {
  const HelloState wrong = seen_ == 0 ? HelloState::not_tls : HelloState::malformed;
  if (bytes[0] != record_handshake) return seen_ == 0 ? HelloState::incomplete : wrong;  // an HTTP method, undecided
  if (bytes.size() > 1 && bytes[1] != major_version) return wrong;
  if (bytes.size() < record_header) return HelloState::incomplete;
  const std::size_t size = std::size_t{bytes[3]} << 8 | bytes[4];
  if (size == 0 || size > most_of_record) return HelloState::malformed;
  seen_ += record_header;
  record_left_ = size;
  return HelloState::incomplete;
}

HelloState HelloReader::take_message() {
  if (message_[0] != decode::tls_client_hello) return HelloState::malformed;
  if (message_.size() < message_header) return HelloState::incomplete;
  const std::size_t size = message_header + message_size(message_);
  if (size < message_header + least_of_hello) return HelloState::malformed;
  if (size > most_bytes_) return HelloState::too_long;
  if (message_.size() < size) return HelloState::incomplete;
  // Nothing may follow before the server has answered, and a record ends where the message does.
  if (message_.size() > size || record_left_ > 0) return HelloState::malformed;
  auto hello = read_hello(Bytes(message_).subspan(message_header));
  if (!hello) return HelloState::malformed;
  hello_ = std::move(*hello);
  message_ = {};
  return HelloState::complete;
}

std::array<std::uint8_t, 7> alert_record(TlsAlert alert) {
  // The version that every client takes before one is agreed on (RFC 8446 5.1).
  return {record_alert, major_version, 1, 0, 2, alert_fatal, std::to_underlying(alert)};
}

}  // namespace sonde::proxy
