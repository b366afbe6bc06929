// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/resolve/dns_answer.hpp"

#include <algorithm>
#include <vector>

#include "decode/bytes.hpp"
#include "decode/dns.hpp"
#include "decode/dns_names.hpp"

namespace sonde::proxy {
namespace {

using decode::Bytes;
using decode::Reader;
using Kind = DnsAnswer::Kind;

constexpr std::uint16_t class_internet = 1;
constexpr std::uint16_t type_cname = 5;
constexpr std::uint16_t type_soa = 6;
constexpr std::uint8_t code_no_error = 0;
constexpr std::uint8_t code_no_such_name = 3;
constexpr int longest_chain = 32;  // of CNAMEs; more is a loop, or nothing that is meant

struct Record {
  std::string name;  // lower case
  std::uint16_t type = 0;
  std::uint32_t ttl = 0;
  std::size_t data_at = 0;
  Bytes data;
};

struct Sections {
  std::uint8_t code = 0;
  std::vector<Record> answers;
  std::vector<Record> authority;
};

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return text;
}

// RFC 2181 8: a TTL with the top bit set is 0.
std::uint32_t sound_ttl(std::uint32_t ttl) { return ttl > 0x7fffffff ? 0 : ttl; }

// Each moves `offset` behind what it read; false: it cannot be read.
bool skip_question(Bytes message, std::size_t& offset) {
  const auto name = decode::read_dns_name(message, offset);
  if (!name || message.size() < name->next + 4) return false;
  offset = name->next + 4;
  return true;
}

bool read_record(Bytes message, std::size_t& offset, std::vector<Record>& records) {
  auto name = decode::read_dns_name(message, offset);
  if (!name) return false;
  Reader reader(message.subspan(name->next));
  Record record{.name = lower(std::move(name->text)), .data = {}};
  record.type = reader.u16();
  const std::uint16_t class_code = reader.u16();
  record.ttl = sound_ttl(reader.u32());
  record.data_at = name->next + 10;
  record.data = reader.take(reader.u16());
  if (!reader.ok()) return false;
  offset = record.data_at + record.data.size();
  if (class_code == class_internet) records.push_back(std::move(record));
  return true;
}

std::optional<Sections> read_sections(Bytes message) {
  Reader header(message);
  header.u16();
  const std::uint16_t flags = header.u16();
  const std::uint16_t questions = header.u16();
  const std::uint16_t answers = header.u16();
  const std::uint16_t authority = header.u16();
  header.u16();
  if (!header.ok() || (flags & 0x8000) == 0) return std::nullopt;
  Sections sections{.code = static_cast<std::uint8_t>(flags & 15), .answers = {}, .authority = {}};
  std::size_t offset = message.size() - header.size();
  for (int i = 0; i < questions; ++i) {
    if (!skip_question(message, offset)) return std::nullopt;
  }
  for (int i = 0; i < answers; ++i) {
    if (!read_record(message, offset, sections.answers)) return std::nullopt;
  }
  for (int i = 0; i < authority; ++i) {
    if (!read_record(message, offset, sections.authority)) return std::nullopt;
  }
  return sections;
}

const Record* find(const std::vector<Record>& records, const std::string& name, std::uint16_t type) {
  const auto found =
      std::ranges::find_if(records, [&](const Record& record) { return record.type == type && record.name == name; });
  return found == records.end() ? nullptr : &*found;
}

void take_ttl(DnsAnswer& answer, std::uint32_t ttl) { answer.ttl = std::min(answer.ttl.value_or(ttl), ttl); }

// Where the chain of CNAMEs from `name` ends; nothing if it does not.
std::optional<std::string> follow(Bytes message, const Sections& sections, std::string name, DnsAnswer& answer) {
  for (int i = 0; i < longest_chain; ++i) {
    const Record* alias = find(sections.answers, name, type_cname);
    if (!alias) return name;
    auto target = decode::read_dns_name(message, alias->data_at);
    if (!target) return std::nullopt;
    take_ttl(answer, alias->ttl);
    name = lower(std::move(target->text));
  }
  return std::nullopt;
}

void take_addresses(const Sections& sections, const std::string& name, std::uint16_t type, DnsAnswer& answer) {
  for (const Record& record : sections.answers) {
    if (record.type != type || record.name != name || record.data.size() != (type == dns_type_a ? 4 : 16)) continue;
    Endpoint endpoint;
    if (type == dns_type_a) endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::ranges::copy(record.data, endpoint.address.end() - static_cast<std::ptrdiff_t>(record.data.size()));
    answer.addresses.push_back(endpoint);
    take_ttl(answer, record.ttl);
  }
}

// RFC 2308 5: the SOA's own TTL and its last field, the lesser of the two.
void take_negative_ttl(Bytes message, const Sections& sections, DnsAnswer& answer) {
  for (const Record& record : sections.authority) {
    if (record.type != type_soa) continue;
    const auto server = decode::read_dns_name(message, record.data_at);
    const auto mailbox = server ? decode::read_dns_name(message, server->next) : std::nullopt;
    if (!mailbox || mailbox->next > message.size()) return;
    Reader numbers(message.subspan(mailbox->next));
    numbers.take(16);  // serial, refresh, retry, expire
    const std::uint32_t minimum = sound_ttl(numbers.u32());
    if (numbers.ok()) take_ttl(answer, std::min(record.ttl, minimum));
    return;
  }
  answer.ttl.reset();  // that of an alias does not say how long its target is missing
}

DnsAnswer failed(std::string why) {
  DnsAnswer answer;
  answer.failure = std::move(why);
  return answer;
}

}  // namespace

DnsAnswer read_dns_answer(std::span<const std::uint8_t> message, const std::string& name, std::uint16_t type) {
  const auto sections = read_sections(message);
  if (!sections) return failed("the name server's answer is malformed");
  if (sections->code != code_no_error && sections->code != code_no_such_name) {
    return failed("the name server answered " + decode::dns_rcode_name(sections->code));
  }
  DnsAnswer answer;
  const auto end = follow(message, *sections, name, answer);
  if (!end) return failed("the name's aliases lead nowhere");
  take_addresses(*sections, *end, type, answer);
  if (!answer.addresses.empty()) {
    answer.kind = Kind::addresses;
    return answer;
  }
  answer.kind = sections->code == code_no_such_name ? Kind::no_such_name : Kind::no_address;
  take_negative_ttl(message, *sections, answer);
  return answer;
}

}  // namespace sonde::proxy
