// SPDX-License-Identifier: Apache-2.0
// DNS messages from their parts, without compression.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::proxy {

using Buffer = std::vector<std::uint8_t>;

struct DnsRecordParts {
  std::string name;
  std::uint16_t type;
  std::uint32_t ttl;
  Buffer data;
};
DnsRecordParts record_a(const std::string& name, std::uint32_t ttl, const char* address);
DnsRecordParts record_aaaa(const std::string& name, std::uint32_t ttl, const char* address);
DnsRecordParts record_cname(const std::string& name, std::uint32_t ttl, const std::string& target);
DnsRecordParts record_soa(const std::string& zone, std::uint32_t ttl, std::uint32_t minimum);

struct DnsParts {
  std::uint16_t id = 0;
  std::string name{};
  std::uint16_t type = 0;
  std::uint8_t code = 0;
  bool truncated = false;
  std::vector<DnsRecordParts> answers{};
  std::vector<DnsRecordParts> authority{};
};
/// A response.
Buffer dns_message(const DnsParts& parts);

}  // namespace sonde::proxy
