// SPDX-License-Identifier: Apache-2.0
#include "decode/tls.hpp"

#include <algorithm>

#include "decode/escape.hpp"

namespace sonde::decode {
namespace {

constexpr std::uint8_t record_handshake = 22;
constexpr std::size_t max_record_size = 16384 + 2048;  // RFC 5246 6.2.3
constexpr std::uint8_t server_hello = 2;
constexpr std::size_t max_protocols = 32;

struct KindName {
  std::uint8_t kind;
  const char* name;
};

// Messages that TLS 1.2 sends in the clear, and the two hellos of TLS 1.3.
constexpr KindName kind_names[] = {
    {0, "HelloRequest"},       {tls_client_hello, "ClientHello"}, {server_hello, "ServerHello"},
    {3, "HelloVerifyRequest"}, {4, "NewSessionTicket"},           {11, "Certificate"},
    {12, "ServerKeyExchange"}, {13, "CertificateRequest"},        {14, "ServerHelloDone"},
    {15, "CertificateVerify"}, {16, "ClientKeyExchange"},         {22, "CertificateStatus"},
};

bool is_known_version(std::uint16_t version) { return version >= 0x0300 && version <= 0x0304; }

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

void read_extension(const TlsExtension& extension, TlsHandshake& hello) {
  if (extension.data.empty()) return;
  if (extension.type == tls_extension_server_name && hello.server_name.empty()) {
    hello.server_name = read_server_name(extension.data).name;
  }
  if (extension.type == tls_extension_alpn) {
    for (std::string& name : read_alpn(extension.data).names) {
      if (hello.alpn.size() < max_protocols) hello.alpn.push_back(std::move(name));
    }
  }
  if (extension.type == tls_extension_supported_versions) read_supported_versions(extension.data, hello);
}

std::vector<TlsExtension> split_extensions(Reader& body, bool& exact) {
  std::vector<TlsExtension> extensions;
  if (body.size() == 0) return extensions;  // TLS 1.2 and older may send none
  Reader list(body.take_available(body.u16()));
  while (list.size() > 0) {
    const std::uint16_t type = list.u16();
    extensions.push_back({type, list.take_available(list.u16())});
  }
  exact = exact && list.ok();
  return extensions;
}

void read_client_hello(Bytes body, TlsHandshake& hello) {
  const TlsClientHello parts = split_client_hello(body);
  hello.version = parts.version;
  for (const TlsExtension& extension : parts.extensions) read_extension(extension, hello);
}

void read_server_hello(Bytes bytes, TlsHandshake& hello) {
  Reader body(bytes);
  hello.version = body.u16();
  body.take(32);         // random
  body.take(body.u8());  // session id
  hello.cipher_suite = body.u16();
  body.u8();  // compression method
  bool exact = true;
  for (const TlsExtension& extension : split_extensions(body, exact)) read_extension(extension, hello);
}

// The body is clipped to what is there; cut says whether that is all.
void read_hello(Bytes body, TlsHandshake& hello) {
  if (body.size() < 2) return;
  hello.kind == tls_client_hello ? read_client_hello(body, hello) : read_server_hello(body, hello);
}

// A hello says its version in its own first bytes; those of an encrypted message do not pass for one.
bool is_plausible(const TlsHandshake& handshake, std::uint32_t length, Bytes body) {
  if (tls_handshake_name(handshake.kind) == nullptr) return false;
  if (handshake.kind != tls_client_hello && handshake.kind != server_hello) return length <= max_record_size * 8;
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
  if (handshake.kind == tls_client_hello || handshake.kind == server_hello) read_hello(body, handshake);
  return handshake;
}

TlsClientHello split_client_hello(Bytes body) {
  Reader rest(body);
  TlsClientHello hello;
  hello.version = rest.u16();
  rest.take(32);  // random
  hello.session = rest.take(rest.u8());
  hello.cipher_suites = rest.take(rest.u16());
  hello.compression_methods = rest.take(rest.u8());
  hello.exact = true;
  hello.extensions = split_extensions(rest, hello.exact);
  hello.exact = hello.exact && rest.ok() && rest.size() == 0;
  return hello;
}

// A list of (type, name); only host_name (0) is defined.
TlsServerName read_server_name(Bytes extension) {
  Reader list(extension);
  Reader names(list.take_available(list.u16()));
  TlsServerName found;
  std::size_t count = 0;
  bool all_hosts = true;
  while (names.size() > 0) {
    const std::uint8_t type = names.u8();
    const Bytes name = names.take(names.u16());
    ++count;
    all_hosts = all_hosts && type == 0;
    if (names.ok() && type == 0 && found.name.empty()) found.name = as_text(name);
  }
  found.exact = names.ok() && list.ok() && list.size() == 0 && count == 1 && all_hosts && !found.name.empty();
  return found;
}

TlsProtocols read_alpn(Bytes extension) {
  Reader list(extension);
  Reader names(list.take_available(list.u16()));
  TlsProtocols found;
  bool empty_name = false;
  while (names.size() > 0) {
    const Bytes name = names.take(names.u8());
    empty_name = empty_name || name.empty();
    if (names.ok() && !name.empty() && found.names.size() < max_protocols) found.names.emplace_back(as_text(name));
  }
  found.exact = names.ok() && list.ok() && list.size() == 0 && !empty_name && !found.names.empty();
  return found;
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
