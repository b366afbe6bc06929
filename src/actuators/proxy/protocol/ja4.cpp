// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/protocol/ja4.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace sonde::proxy {
namespace {

using decode::Bytes;
using decode::Reader;

constexpr std::string_view digits = "0123456789abcdef";
constexpr std::size_t hash_digits = 12;

// In the order of the bytes, without GREASE.
std::vector<std::uint16_t> read_numbers(Bytes bytes) {
  std::vector<std::uint16_t> numbers;
  numbers.reserve(bytes.size() / 2);
  for (Reader reader(bytes); reader.size() >= 2;) {
    const std::uint16_t number = reader.u16();
    if (!decode::is_grease(number)) numbers.push_back(number);
  }
  return numbers;
}

Bytes find_extension(const decode::TlsClientHello& hello, std::uint16_t type) {
  for (const auto& extension : hello.extensions) {
    if (extension.type == type) return extension.data;
  }
  return {};
}

bool has_extension(const decode::TlsClientHello& hello, std::uint16_t type) {
  return std::ranges::any_of(hello.extensions, [type](const auto& extension) { return extension.type == type; });
}

std::string_view version_code(const decode::TlsClientHello& hello) {
  struct Code {
    std::uint16_t version;
    std::string_view code;
  };
  static constexpr Code codes[] = {{0x0304, "13"}, {0x0303, "12"}, {0x0302, "11"}, {0x0301, "10"}, {0x0300, "s3"},
                                   {0x0002, "s2"}, {0xfeff, "d1"}, {0xfefd, "d2"}, {0xfefc, "d3"}};
  std::uint16_t version = hello.version;
  Reader list(find_extension(hello, decode::tls_extension_supported_versions));
  const auto offered = read_numbers(list.take_available(list.u8()));
  if (!offered.empty()) version = *std::ranges::max_element(offered);
  for (const Code& entry : codes) {
    if (entry.version == version) return entry.code;
  }
  return "00";
}

void append_count(std::string& out, std::size_t count) {
  count = std::min<std::size_t>(count, 99);
  out += static_cast<char>('0' + count / 10);
  out += static_cast<char>('0' + count % 10);
}

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

void append_alpn(std::string& out, const std::vector<std::string>& alpn) {
  if (alpn.empty() || alpn.front().empty()) {
    out += "00";
    return;
  }
  const char first = alpn.front().front();
  const char last = alpn.front().back();
  const bool readable = is_alphanumeric(first) && is_alphanumeric(last);
  out += readable ? first : digits[static_cast<std::uint8_t>(first) >> 4];
  out += readable ? last : digits[static_cast<std::uint8_t>(last) & 15];
}

void append_list(std::string& out, const std::vector<std::uint16_t>& numbers) {
  const char* separator = "";
  for (const std::uint16_t number : numbers) {
    out += separator;
    for (int shift = 12; shift >= 0; shift -= 4) out += digits[number >> shift & 15];
    separator = ",";
  }
}

struct Parts {
  std::string summary;     // "t13d1516h2"
  std::string ciphers;     // "002f,0035,..."
  std::string extensions;  // "0005,000a,..._0403,0804,..."
};

std::string extension_list(const decode::TlsClientHello& hello, std::vector<std::uint16_t> types) {
  std::erase(types, decode::tls_extension_server_name);
  std::erase(types, decode::tls_extension_alpn);
  std::ranges::sort(types);
  std::string list;
  append_list(list, types);
  Reader algorithms(find_extension(hello, decode::tls_extension_signature_algorithms));
  const auto offered = read_numbers(algorithms.take_available(algorithms.u16()));
  if (!offered.empty()) list += '_';
  append_list(list, offered);
  return list;
}

Parts make_parts(const decode::TlsClientHello& hello, const std::vector<std::string>& alpn) {
  std::vector<std::uint16_t> ciphers = read_numbers(hello.cipher_suites);
  std::ranges::sort(ciphers);
  std::vector<std::uint16_t> types;
  types.reserve(hello.extensions.size());
  for (const auto& extension : hello.extensions) {
    if (!decode::is_grease(extension.type)) types.push_back(extension.type);
  }
  Parts parts{.summary = "t", .ciphers = {}, .extensions = {}};
  parts.summary += version_code(hello);
  parts.summary += has_extension(hello, decode::tls_extension_server_name) ? 'd' : 'i';
  append_count(parts.summary, ciphers.size());
  append_count(parts.summary, types.size());
  append_alpn(parts.summary, alpn);
  append_list(parts.ciphers, ciphers);
  parts.extensions = extension_list(hello, std::move(types));
  return parts;
}

// The first digits of SHA-256; zeros for an empty list. Finding the algorithm by name costs more than a hash.
bool append_hash(std::string& out, const std::string& text) {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  std::array<std::uint8_t, 32> hash{};
  if (!text.empty() && EVP_Digest(text.data(), text.size(), hash.data(), nullptr, algorithm, nullptr) != 1)
    return false;
  for (std::size_t i = 0; i < hash_digits / 2; ++i) {
    out += digits[hash[i] >> 4];
    out += digits[hash[i] & 15];
  }
  return true;
}

}  // namespace

std::string ja4(const decode::TlsClientHello& hello, const std::vector<std::string>& alpn) {
  const Parts parts = make_parts(hello, alpn);
  std::string out = parts.summary;
  out += '_';
  bool hashed = append_hash(out, parts.ciphers);
  out += '_';
  hashed = append_hash(out, parts.extensions) && hashed;
  return hashed ? out : std::string();
}

std::string ja4_raw(const decode::TlsClientHello& hello, const std::vector<std::string>& alpn) {
  const Parts parts = make_parts(hello, alpn);
  return parts.summary + '_' + parts.ciphers + '_' + parts.extensions;
}

}  // namespace sonde::proxy
