// SPDX-License-Identifier: Apache-2.0
#include "decode/tls.hpp"

#include <algorithm>

#include "decode/escape.hpp"

namespace sonde::decode {
namespace {

constexpr std::uint8_t record_handshake = 22;
constexpr std::size_t max_record_size = 16384 + 2048;  // RFC 5246 6.2.3
constexpr std::uint8_t client_hello = 1;
constexpr std::uint8_t server_hello = 2;
constexpr std::uint16_t extension_server_name = 0;
constexpr std::uint16_t extension_alpn = 16;
constexpr std::uint16_t extension_supported_versions = 43;
constexpr std::size_t max_protocols = 32;  // more are not listed: a hello offers two or three

struct KindName {
  std::uint8_t kind;
  const char* name;
};

// Messages that TLS 1.2 sends in the clear, and the two hellos of TLS 1.3.
constexpr KindName kind_names[] = {
    {0, "HelloRequest"},     {client_hello, "ClientHello"}, {server_hello, "ServerHello"}, {3, "HelloVerifyRequest"},
    {4, "NewSessionTicket"}, {11, "Certificate"},           {12, "ServerKeyExchange"},     {13, "CertificateRequest"},
    {14, "ServerHelloDone"}, {15, "CertificateVerify"},     {16, "ClientKeyExchange"},     {22, "CertificateStatus"},
};

bool is_known_version(std::uint16_t version) { return version >= 0x0300 && version <= 0x0304; }

// RFC 6066 3: a list of (type, name); only host_name (0) is defined.
void read_server_name(Bytes data, TlsHandshake& hello) {
  Reader list(data);
  Reader names(list.take_available(list.u16()));
  while (names.size() > 0) {
    const std::uint8_t type = names.u8();
    const Bytes name = names.take(names.u16());
    if (names.ok() && type == 0 && hello.server_name.empty()) hello.server_name = as_text(name);
  }
}

// RFC 7301 3.1.
void read_alpn(Bytes data, TlsHandshake& hello) {
  Reader list(data);
  Reader names(list.take_available(list.u16()));
  while (names.size() > 0 && hello.alpn.size() < max_protocols) {
    const Bytes name = names.take(names.u8());
    if (names.ok() && !name.empty()) hello.alpn.emplace_back(as_text(name));
  }
}

// RFC 8446 4.2.1: the client sends a list, the server its choice. GREASE values (RFC 8701) are not known versions.
void read_supported_versions(Bytes data, TlsHandshake& hello) {
  Reader reader(data);
  if (hello.kind == server_hello) {
    const std::uint16_t version = reader.u16();
    if (reader.ok()) hello.version = version;
    return;
  }
  Reader versions(reader.take_available(reader.u8()));
  while (versions.size() >= 2) {
    const std::uint16_t version = versions.u16();
    if (is_known_version(version)) hello.version = std::max(hello.version, version);
  }
}

void read_extension(std::uint16_t type, Bytes data, TlsHandshake& hello) {
  if (type == extension_server_name) read_server_name(data, hello);
  if (type == extension_alpn) read_alpn(data, hello);
  if (type == extension_supported_versions) read_supported_versions(data, hello);
}

void read_extensions(Reader& body, TlsHandshake& hello) {
  if (body.size() == 0) return;  // TLS 1.2 and older may send none
  Reader extensions(body.take_available(body.u16()));
  while (extensions.size() > 0) {
    const std::uint16_t type = extensions.u16();
    const Bytes data = extensions.take_available(extensions.u16());
    if (!data.empty()) read_extension(type, data, hello);
  }
}

void read_client_hello(Reader& body, TlsHandshake& hello) {
  body.take(32);          // random
  body.take(body.u8());   // session id
  body.take(body.u16());  // cipher suites
  body.take(body.u8());   // compression methods
  read_extensions(body, hello);
}

void read_server_hello(Reader& body, TlsHandshake& hello) {
  body.take(32);         // random
  body.take(body.u8());  // session id
  hello.cipher_suite = body.u16();
  body.u8();  // compression method
  read_extensions(body, hello);
}

// The body is clipped to what is there; cut says whether that is all.
void read_hello(Bytes bytes, TlsHandshake& hello) {
  Reader body(bytes);
  const std::uint16_t version = body.u16();
  if (!body.ok()) return;
  hello.version = version;
  hello.kind == client_hello ? read_client_hello(body, hello) : read_server_hello(body, hello);
}

// A hello says its version in its own first bytes; those of an encrypted message do not pass for one.
bool is_plausible(const TlsHandshake& handshake, std::uint32_t length, Bytes body) {
  if (tls_handshake_name(handshake.kind) == nullptr) return false;
  if (handshake.kind != client_hello && handshake.kind != server_hello) return length <= max_record_size * 8;
  return length >= 38 && (body.size() < 2 || body[0] == 3);
}

std::string hexadecimal(std::uint16_t value) {
  std::string text = "0x";
  for (int shift = 12; shift >= 0; shift -= 4) text += "0123456789abcdef"[value >> shift & 15];
  return text;
}

void append_protocols(std::string& out, const std::vector<std::string>& protocols) {
  const char* separator = " alpn=";
  for (const std::string& protocol : protocols) {
    out += separator;
    append_escaped(out, protocol);
    separator = ",";
  }
}

}  // namespace

std::optional<TlsHandshake> decode_tls(Bytes payload) {
  Reader record(payload);
  if (record.u8() != record_handshake) return std::nullopt;
  TlsHandshake handshake{.version = record.u16()};
  const std::uint16_t record_size = record.u16();
  if (!record.ok() || !is_known_version(handshake.version) || record_size < 4 || record_size > max_record_size) {
    return std::nullopt;
  }
  Reader message(record.take_available(record_size));
  handshake.kind = message.u8();
  const std::uint32_t length = message.u24();
  if (!message.ok()) return std::nullopt;
  const Bytes body = message.take_available(length);
  if (!is_plausible(handshake, length, body)) return std::nullopt;
  handshake.cut = body.size() < length;
  if (handshake.kind == client_hello || handshake.kind == server_hello) read_hello(body, handshake);
  return handshake;
}

const char* tls_handshake_name(std::uint8_t kind) {
  for (const KindName& entry : kind_names) {
    if (entry.kind == kind) return entry.name;
  }
  return nullptr;
}

std::string tls_version_name(std::uint16_t version) {
  if (!is_known_version(version)) return hexadecimal(version);
  static constexpr const char* names[] = {"SSL 3.0", "1.0", "1.1", "1.2", "1.3"};
  return names[version - 0x0300];
}

std::string to_text(const TlsHandshake& handshake) {
  std::string out = "TLS ";
  out += tls_handshake_name(handshake.kind);
  if (!handshake.server_name.empty()) {
    out += " sni=";
    append_escaped(out, handshake.server_name);
  }
  append_protocols(out, handshake.alpn);
  out += " version=" + tls_version_name(handshake.version);
  if (handshake.cut) out += " [cut]";
  return out;
}

}  // namespace sonde::decode
