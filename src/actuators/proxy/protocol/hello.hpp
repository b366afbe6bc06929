// SPDX-License-Identifier: Apache-2.0
// The first flight of a TLS client, put together from any number of segments and records.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sonde::proxy {

using Bytes = std::span<const std::uint8_t>;

struct ClientHello {
  std::string server_name;        ///< folded: lower case, no trailing dot; empty: none
  std::vector<std::string> alpn;  ///< as sent; the first 32
  std::string ja4;                ///< FoxIO JA4 of TLS over TCP
  /// Has an ECH extension (RFC 9849): server_name is the outer name. Also true of a client that sends a meaningless one
  /// (GREASE, 6.2), which cannot be told from outside.
  bool encrypted = false;
};

enum class HelloState : std::uint8_t {
  incomplete,
  complete,
  plain_http,  ///< an HTTP request line
  not_tls,     ///< no TLS handshake record: an alert, SSL 2, another protocol
  malformed,   ///< a handshake whose lengths contradict one another, that is no ClientHello, or a name that is none
  too_long,    ///< does not end within the first most_bytes
};

/// Looks at what has come so far, from the connection's first byte. Cheap to call again with more: linear in what came
/// over all calls together. How the bytes are cut into calls does not change what comes out.
class HelloReader {
 public:
  /// `most_bytes`: records and their headers.
  explicit HelloReader(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  /// `bytes`: all so far; grows from call to call. Bytes behind the hello's last record are not looked at.
  HelloState read(Bytes bytes);
  /// When complete.
  [[nodiscard]] const ClientHello& hello() const { return hello_; }

 private:
  HelloState first_bytes(Bytes bytes);
  HelloState take(Bytes bytes);
  HelloState take_record_header(Bytes bytes);
  HelloState take_message();

  std::size_t most_bytes_;
  std::size_t seen_ = 0;         ///< of the connection's bytes: what of them belongs to the handshake is in message_
  std::size_t record_left_ = 0;  ///< bytes of the record at seen_ that are still to come
  std::vector<std::uint8_t> message_;
  HelloState state_ = HelloState::incomplete;
  ClientHello hello_;
};

/// AlertDescription of RFC 8446 6.2.
enum class TlsAlert : std::uint8_t {
  unexpected_message = 10,
  record_overflow = 22,
  handshake_failure = 40,
  decode_error = 50,
  access_denied = 49,
  internal_error = 80,
  missing_extension = 109,
  unrecognized_name = 112,
};
/// The record of a fatal alert, 7 bytes.
[[nodiscard]] std::array<std::uint8_t, 7> alert_record(TlsAlert alert);

}  // namespace sonde::proxy
