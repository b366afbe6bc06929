// SPDX-License-Identifier: Apache-2.0
#include "decode/dns.hpp"

#include <algorithm>

#include "decode/dns_names.hpp"
#include "decode/dns_rdata.hpp"

namespace sonde::decode {
namespace {

constexpr std::size_t header_size = 12;
constexpr std::uint16_t class_internet = 1;
constexpr std::uint16_t class_mask = 0x7fff;  // mDNS: the top bit is no part of the class (RFC 6762 18.12, 18.13)

struct Code {
  std::uint16_t code;
  const char* name;
};

// IANA "Domain Name System (DNS) Parameters".
constexpr Code type_names[] = {
    {1, "A"},      {2, "NS"},     {5, "CNAME"},  {6, "SOA"},    {12, "PTR"},   {13, "HINFO"},
    {15, "MX"},    {16, "TXT"},   {28, "AAAA"},  {33, "SRV"},   {35, "NAPTR"}, {39, "DNAME"},
    {41, "OPT"},   {43, "DS"},    {44, "SSHFP"}, {46, "RRSIG"}, {47, "NSEC"},  {48, "DNSKEY"},
    {50, "NSEC3"}, {52, "TLSA"},  {64, "SVCB"},  {65, "HTTPS"}, {99, "SPF"},   {249, "TKEY"},
    {250, "TSIG"}, {251, "IXFR"}, {252, "AXFR"}, {255, "ANY"},  {256, "URI"},  {257, "CAA"},
};
constexpr Code class_names[] = {{1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"}};
constexpr Code rcode_names[] = {
    {0, "NOERROR"},  {1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"}, {4, "NOTIMP"},   {5, "REFUSED"},
    {6, "YXDOMAIN"}, {7, "YXRRSET"}, {8, "NXRRSET"},  {9, "NOTAUTH"},  {10, "NOTZONE"}, {11, "DSOTYPENI"},
};
constexpr Code opcode_names[] = {{0, "QUERY"}, {1, "IQUERY"}, {2, "STATUS"}, {4, "NOTIFY"}, {5, "UPDATE"}, {6, "DSO"}};

template <std::size_t size>
std::string code_name(const Code (&table)[size], std::uint16_t code, const char* unknown) {
  for (const Code& entry : table) {
    if (entry.code == code) return entry.name;
  }
  return unknown + std::to_string(code);
}

DnsMessage read_header(Bytes bytes) {
  Reader reader(bytes);
  DnsMessage message;
  message.id = reader.u16();
  const std::uint16_t flags = reader.u16();
  message.response = flags & 0x8000;
  message.opcode = flags >> 11 & 15;
  message.truncated = flags & 0x0200;
  message.rcode = flags & 15;
  message.question_count = reader.u16();
  message.answer_count = reader.u16();
  return message;
}

// Both return where the next entry starts, 0 when this one could not be read.
std::size_t read_question(Bytes bytes, std::size_t offset, DnsQuestion& question) {
  std::optional<DnsName> name = read_dns_name(bytes, offset);
  if (!name) return 0;
  Reader reader(bytes.subspan(name->next));
  question.name = std::move(name->text);
  question.type = reader.u16();
  question.class_code = reader.u16();
  return reader.ok() ? name->next + 4 : 0;
}

std::size_t read_record(Bytes bytes, std::size_t offset, DnsRecord& record) {
  std::optional<DnsName> name = read_dns_name(bytes, offset);
  if (!name) return 0;
  Reader reader(bytes.subspan(name->next));
  record.name = std::move(name->text);
  record.type = reader.u16();
  record.class_code = reader.u16();
  record.ttl = reader.u32();
  const std::uint16_t size = reader.u16();
  if (!reader.ok() || reader.size() < size) return 0;
  record.data = dns_rdata_text(record.type, bytes, name->next + 10, size);
  return name->next + 10 + size;
}

template <class Entry, class Read>
bool read_list(Bytes bytes, std::size_t& offset, std::size_t count, std::vector<Entry>& list, Read read) {
  const std::size_t listed = std::min(count, DnsMessage::max_listed);
  while (list.size() < listed) {
    Entry entry;
    const std::size_t next = read(bytes, offset, entry);
    if (next == 0) return false;
    offset = next;
    list.push_back(std::move(entry));
  }
  return listed == count;
}

void read_lists(Bytes bytes, DnsMessage& message) {
  std::size_t offset = header_size;
  if (!read_list(bytes, offset, message.question_count, message.questions, read_question)) {
    message.cut = message.questions.size() < DnsMessage::max_listed;
    return;
  }
  if (!read_list(bytes, offset, message.answer_count, message.answers, read_record)) {
    message.cut = message.answers.size() < DnsMessage::max_listed;
  }
}

// A query that came back is told by its questions; what is asked by nobody (mDNS) names its owners.
void append_answer(std::string& out, const DnsMessage& message, const DnsRecord& record) {
  if (message.questions.empty()) out += record.name + " ";
  out += dns_type_name(record.type);
  if (!record.data.empty()) out += " " + record.data;
}

void append_questions(std::string& out, const DnsMessage& message) {
  const char* separator = " ";
  for (const DnsQuestion& question : message.questions) {
    const std::uint16_t class_code = question.class_code & class_mask;
    out += separator + dns_type_name(question.type);
    if (class_code != class_internet) out += " " + code_name(class_names, class_code, "CLASS");
    out += "? " + question.name;
    separator = ", ";
  }
}

void append_result(std::string& out, const DnsMessage& message) {
  const char* separator = message.questions.empty() ? " " : ": ";
  if (message.rcode != 0 || (message.answers.empty() && !message.cut)) {
    out += separator + dns_rcode_name(message.rcode);
    separator = " ";
  }
  for (const DnsRecord& record : message.answers) {
    out += separator;
    append_answer(out, message, record);
    separator = ", ";
  }
  const std::size_t more = message.answer_count - message.answers.size();
  if (!message.cut && more > 0) out += " and " + std::to_string(more) + " more";
}

}  // namespace

std::optional<DnsMessage> decode_dns(Bytes payload, DnsTransport transport) {
  Reader reader(payload);
  std::size_t size = payload.size();
  if (transport == DnsTransport::tcp) size = reader.u16();
  const Bytes bytes = reader.take_available(size);
  if (size < header_size || bytes.size() < header_size) return std::nullopt;
  DnsMessage message = read_header(bytes);
  read_lists(bytes, message);
  return message;
}

std::string dns_type_name(std::uint16_t type) { return code_name(type_names, type, "TYPE"); }
std::string dns_rcode_name(std::uint8_t rcode) { return code_name(rcode_names, rcode, "RCODE"); }
std::string dns_opcode_name(std::uint8_t opcode) { return code_name(opcode_names, opcode, "OPCODE"); }

std::string to_text(const DnsMessage& message, const char* protocol) {
  std::string out = protocol;
  if (message.opcode != 0) out += " " + dns_opcode_name(message.opcode);
  append_questions(out, message);
  if (message.response) append_result(out, message);
  if (message.truncated) out += " [truncated by the server]";
  if (message.cut) out += " [cut]";
  return out;
}

}  // namespace sonde::decode
