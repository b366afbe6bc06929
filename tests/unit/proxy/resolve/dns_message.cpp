// SPDX-License-Identifier: Apache-2.0
#include "dns_message.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace sonde::proxy {
namespace {

void append_number(Buffer& out, std::size_t value, int size) {
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

void append_name(Buffer& out, const std::string& name) {
  std::size_t begin = 0;
  while (begin < name.size()) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    append_number(out, end - begin, 1);
    out.insert(out.end(), name.begin() + static_cast<std::ptrdiff_t>(begin),
               name.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end + 1;
  }
  out.push_back(0);
}

void append_records(Buffer& out, const std::vector<DnsRecordParts>& records) {
  for (const auto& [name, type, ttl, data] : records) {
    append_name(out, name);
    append_number(out, type, 2);
    append_number(out, 1, 2);
    append_number(out, ttl, 4);
    append_number(out, data.size(), 2);
    out.insert(out.end(), data.begin(), data.end());
  }
}

Buffer address_bytes(int family, const char* text) {
  Buffer bytes(family == AF_INET ? 4 : 16);
  EXPECT_EQ(::inet_pton(family, text, bytes.data()), 1) << text;
  return bytes;
}

}  // namespace

DnsRecordParts record_a(const std::string& name, std::uint32_t ttl, const char* address) {
  return {name, 1, ttl, address_bytes(AF_INET, address)};
}
DnsRecordParts record_aaaa(const std::string& name, std::uint32_t ttl, const char* address) {
  return {name, 28, ttl, address_bytes(AF_INET6, address)};
}
DnsRecordParts record_cname(const std::string& name, std::uint32_t ttl, const std::string& target) {
  Buffer data;
  append_name(data, target);
  return {name, 5, ttl, data};
}
DnsRecordParts record_soa(const std::string& zone, std::uint32_t ttl, std::uint32_t minimum) {
  Buffer data;
  append_name(data, "ns." + zone);
  append_name(data, "admin." + zone);
  for (const std::uint32_t number : {1U, 7200U, 3600U, 86400U, minimum}) append_number(data, number, 4);
  return {zone, 6, ttl, data};
}

Buffer dns_message(const DnsParts& parts) {
  Buffer out;
  append_number(out, parts.id, 2);
  append_number(out, 0x8180U | (parts.truncated ? 0x0200U : 0U) | parts.code, 2);
  for (const std::size_t count : {std::size_t{1}, parts.answers.size(), parts.authority.size(), std::size_t{0}}) {
    append_number(out, count, 2);
  }
  append_name(out, parts.name);
  append_number(out, parts.type, 2);
  append_number(out, 1, 2);
  append_records(out, parts.answers);
  append_records(out, parts.authority);
  return out;
}

}  // namespace sonde::proxy
