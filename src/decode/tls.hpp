// SPDX-License-Identifier: Apache-2.0
// TLS handshakes in the clear: which one, and what a ClientHello asks for (RFC 5246, 6066, 7301, 8446).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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

constexpr std::uint8_t tls_client_hello = 1;
constexpr std::uint16_t tls_extension_server_name = 0;
constexpr std::uint16_t tls_extension_signature_algorithms = 13;
constexpr std::uint16_t tls_extension_alpn = 16;
constexpr std::uint16_t tls_extension_supported_versions = 43;

/// A value that stands for nothing, sent so that servers keep ignoring what they do not know (RFC 8701 2).
[[nodiscard]] constexpr bool is_grease(std::uint16_t value) {
  return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

struct TlsExtension {
  std::uint16_t type = 0;
  Bytes data{};  ///< what there is of it when cut
};

/// Body of a ClientHello, not looked into further. Views point into it.
struct TlsClientHello {
  std::uint16_t version = 0;  ///< legacy_version; 0: not there
  Bytes session{};
  Bytes cipher_suites{};
  Bytes compression_methods{};
  std::vector<TlsExtension> extensions{};
  bool exact = false;  ///< nothing is missing, nothing is left over, and all lengths agree
};
[[nodiscard]] TlsClientHello split_client_hello(Bytes body);

struct TlsServerName {
  std::string_view name{};  ///< the first host_name as sent; empty: none
  bool exact = false;       ///< the list holds that name alone and fills the extension
};
/// RFC 6066 3.
[[nodiscard]] TlsServerName read_server_name(Bytes extension);

struct TlsProtocols {
  std::vector<std::string> names{};  ///< as sent, in order; the first 32: a hello offers two or three
  bool exact = false;                ///< the list fills the extension, and no name is empty
};
/// RFC 7301 3.1.
[[nodiscard]] TlsProtocols read_alpn(Bytes extension);

/// "ClientHello"; nullptr for a kind that is not sent in the clear.
[[nodiscard]] const char* tls_handshake_name(std::uint8_t kind);
/// "1.3" for 0x0304; "SSL 3.0"; hexadecimal for what is not known.
[[nodiscard]] std::string tls_version_name(std::uint16_t version);

/// "TLS ClientHello sni=example.com alpn=h2,http/1.1 version=1.3"; " [cut]" at the end when cut.
[[nodiscard]] std::string to_text(const TlsHandshake& handshake);

}  // namespace sonde::decode
