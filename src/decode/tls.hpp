// SPDX-License-Identifier: Apache-2.0
// TLS handshakes in the clear: which one, and what a ClientHello asks for (RFC 5246, 6066, 7301, 8446).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "decode/bytes.hpp"

namespace sonde::decode {

struct TlsHandshake {
  std::uint8_t kind = 0;            ///< HandshakeType of RFC 8446: 1 ClientHello, 2 ServerHello, ...
  std::uint16_t version = 0;        ///< 0x0303: TLS 1.2. Highest offered or the chosen one; of the record otherwise
  std::string server_name{};        ///< SNI as sent; empty: none, or cut off
  std::vector<std::string> alpn{};  ///< protocols as sent, in order
  std::uint16_t cipher_suite = 0;   ///< ServerHello: the chosen one
  bool cut = false;                 ///< the handshake goes on beyond the payload: what is missing is not known
};

/// The handshake message that begins at the payload's first byte; nothing if none does. Encrypted ones have no kind and
/// are not taken for handshakes.
[[nodiscard]] std::optional<TlsHandshake> decode_tls(Bytes payload);

/// "ClientHello"; nullptr for a kind that is not sent in the clear.
[[nodiscard]] const char* tls_handshake_name(std::uint8_t kind);
/// "1.3" for 0x0304; "SSL 3.0"; hexadecimal for what is not known.
[[nodiscard]] std::string tls_version_name(std::uint16_t version);

/// "TLS ClientHello sni=example.com alpn=h2,http/1.1 version=1.3"; " [cut]" at the end when cut.
[[nodiscard]] std::string to_text(const TlsHandshake& handshake);

}  // namespace sonde::decode
