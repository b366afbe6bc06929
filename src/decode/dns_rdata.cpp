// SPDX-License-Identifier: Apache-2.0
#include "decode/dns_rdata.hpp"

#include <arpa/inet.h>

#include <array>
#include <optional>

#include "decode/dns_names.hpp"

namespace sonde::decode {
namespace {

using Text = std::optional<std::string>;

struct Rdata {
  Bytes message;       // up to the end of the RDATA: nothing is read behind it
  std::size_t offset;  // next byte to read
  [[nodiscard]] Bytes rest() const { return message.subspan(offset); }
};

Text address(int family, Bytes bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const std::size_t size = family == AF_INET ? 4 : 16;
  if (bytes.size() != size) return std::nullopt;
  return ::inet_ntop(family, bytes.data(), text.data(), text.size());
}

Text ipv4(Rdata& rdata) { return address(AF_INET, rdata.rest()); }
Text ipv6(Rdata& rdata) { return address(AF_INET6, rdata.rest()); }

Text name(Rdata& rdata) {
  std::optional<DnsName> read = read_dns_name(rdata.message, rdata.offset);
  if (!read) return std::nullopt;
  rdata.offset = read->next;
  return std::move(read->text);
}

// `count` 16-bit numbers, each followed by a space.
Text numbers16(Rdata& rdata, int count) {
  Reader reader(rdata.rest());
  std::string text;
  for (int i = 0; i < count; ++i) text += std::to_string(reader.u16()) + " ";
  if (!reader.ok()) return std::nullopt;
  rdata.offset += 2U * static_cast<unsigned>(count);
  return text;
}

Text numbers_and_name(Rdata& rdata, int count) {
  Text text = numbers16(rdata, count);
  const Text host = text ? name(rdata) : std::nullopt;
  if (!host) return std::nullopt;
  return *text + *host;
}

Text mail_exchange(Rdata& rdata) { return numbers_and_name(rdata, 1); }
Text service(Rdata& rdata) { return numbers_and_name(rdata, 3); }

Text strings(Rdata& rdata) {
  std::string text;
  Reader reader(rdata.rest());
  while (reader.size() > 0) {
    const Bytes characters = reader.take(reader.u8());
    if (!reader.ok()) return std::nullopt;
    if (!text.empty()) text += ' ';
    text += '"';
    append_dns_text(text, characters, true);
    text += '"';
  }
  return text;
}

Text start_of_authority(Rdata& rdata) {
  const Text primary = name(rdata);
  const Text mailbox = primary ? name(rdata) : std::nullopt;
  if (!mailbox) return std::nullopt;
  std::string text = *primary + " " + *mailbox;
  Reader reader(rdata.rest());
  for (int i = 0; i < 5; ++i) text += " " + std::to_string(reader.u32());
  if (!reader.ok()) return std::nullopt;
  return text;
}

// SvcParams (RFC 9460 14.3.2). A value that does not fit its key gives nothing.
constexpr std::array<const char*, 7> parameter_names = {"mandatory", "alpn", "no-default-alpn", "port",
                                                        "ipv4hint",  "ech",  "ipv6hint"};
enum : std::uint16_t { parameter_alpn = 1, parameter_port = 3, parameter_ipv4 = 4, parameter_ipv6 = 6 };

Text address_list(int family, Bytes value) {
  const std::size_t size = family == AF_INET ? 4 : 16;
  if (value.empty() || value.size() % size != 0) return std::nullopt;
  std::string text;
  for (; !value.empty(); value = value.subspan(size)) {
    if (!text.empty()) text += ',';
    text += *address(family, value.first(size));
  }
  return text;
}

Text alpn_list(Bytes value) {
  std::string text;
  Reader reader(value);
  while (reader.size() > 0) {
    const Bytes protocol = reader.take(reader.u8());
    if (!reader.ok()) return std::nullopt;
    if (!text.empty()) text += ',';
    append_dns_text(text, protocol, true);
  }
  return "\"" + text + "\"";
}

Text parameter_value(std::uint16_t key, Bytes value) {
  if (key == parameter_alpn) return alpn_list(value);
  if (key == parameter_ipv4) return address_list(AF_INET, value);
  if (key == parameter_ipv6) return address_list(AF_INET6, value);
  if (key == parameter_port && value.size() == 2) return std::to_string(value[0] << 8 | value[1]);
  return std::nullopt;
}

std::string parameter_name(std::uint16_t key) {
  return key < parameter_names.size() ? parameter_names[key] : "key" + std::to_string(key);
}

// Values without a short form (ech, keys to come) are told by their size.
std::string parameter_text(std::uint16_t key, Bytes value) {
  const Text known = parameter_value(key, value);
  if (known) return " " + parameter_name(key) + "=" + *known;
  if (value.empty()) return " " + parameter_name(key);
  return " " + parameter_name(key) + "=(" + std::to_string(value.size()) + " bytes)";
}

Text service_binding(Rdata& rdata) {
  Text text = numbers_and_name(rdata, 1);
  if (!text) return std::nullopt;
  Reader reader(rdata.rest());
  while (reader.size() > 0) {
    const std::uint16_t key = reader.u16();
    const Bytes value = reader.take(reader.u16());
    if (!reader.ok()) return std::nullopt;
    *text += parameter_text(key, value);
  }
  return text;
}

struct Format {
  std::uint16_t type;
  Text (*text)(Rdata&);
};

constexpr Format formats[] = {
    {1, ipv4},
    {2, name},
    {5, name},
    {6, start_of_authority},
    {12, name},
    {15, mail_exchange},
    {16, strings},
    {28, ipv6},
    {33, service},
    {39, name},
    {64, service_binding},
    {65, service_binding},
};

std::string unknown_format(Bytes bytes) {
  std::string text = "\\# " + std::to_string(bytes.size());
  if (!bytes.empty()) text += ' ';
  for (const std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace

std::string dns_rdata_text(std::uint16_t type, Bytes message, std::size_t offset, std::size_t size) {
  for (const Format& format : formats) {
    if (format.type != type) continue;
    Rdata rdata{message.first(offset + size), offset};
    Text text = format.text(rdata);
    if (text) return std::move(*text);
  }
  return unknown_format(message.subspan(offset, size));
}

}  // namespace sonde::decode
