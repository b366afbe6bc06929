// SPDX-License-Identifier: Apache-2.0
#include "export/json/decoded.hpp"

#include "export/json/escape.hpp"

namespace sonde::exporter {
namespace {

void append_number_member(std::string& out, std::string_view name, std::uint32_t value) {
  out.append("\"").append(name).append("\":").append(std::to_string(value)).append(",");
}

const char* truth(bool value) { return value ? "true" : "false"; }

// `append_item(out, item)` for each, with commas between.
template <class List, class AppendItem>
void append_array_member(std::string& out, std::string_view name, const List& list, AppendItem append_item) {
  out.append("\"").append(name).append("\":[");
  for (const auto& item : list) {
    if (out.back() != '[') out += ',';
    append_item(out, item);
  }
  out += "],";
}

void append_members(std::string& out, const decode::HttpMessage& message) {
  append_json_member(out, "protocol", "http");
  if (message.minor_version != 0) append_json_member(out, "version", std::string("1.") + message.minor_version);
  if (message.request) {
    append_json_member(out, "method", message.method);
    append_json_member(out, "target", message.target);
    if (!message.host.empty()) append_json_member(out, "host", message.host);
  } else {
    append_number_member(out, "status", static_cast<std::uint32_t>(message.status));
    append_json_member(out, "reason", message.reason);
  }
}

void append_question(std::string& out, const decode::DnsQuestion& question) {
  out += '{';
  append_json_member(out, "name", question.name);
  append_json_member(out, "type", decode::dns_type_name(question.type));
  out.append("\"class\":").append(std::to_string(question.class_code)).append("}");
}

void append_record(std::string& out, const decode::DnsRecord& record) {
  out += '{';
  append_json_member(out, "name", record.name);
  append_json_member(out, "type", decode::dns_type_name(record.type));
  append_number_member(out, "class", record.class_code);
  append_number_member(out, "ttl", record.ttl);
  out += "\"data\":";
  append_json_string(out, record.data);
  out += '}';
}

std::string_view dns_protocol(std::string_view name) {
  if (name == "DNS") return "dns";
  return name == "mDNS" ? "mdns" : "llmnr";
}

void append_members(std::string& out, const decode::DecodedDns& dns) {
  const decode::DnsMessage& message = dns.message;
  append_json_member(out, "protocol", dns_protocol(dns.protocol));
  append_number_member(out, "id", message.id);
  out.append("\"response\":").append(truth(message.response)).append(",");
  append_json_member(out, "opcode", decode::dns_opcode_name(message.opcode));
  if (message.response) append_json_member(out, "rcode", decode::dns_rcode_name(message.rcode));
  out.append("\"truncated\":").append(truth(message.truncated)).append(",");
  append_array_member(out, "questions", message.questions, append_question);
  append_array_member(out, "answers", message.answers, append_record);
  append_number_member(out, "answer_count", message.answer_count);
}

void append_members(std::string& out, const decode::TlsHandshake& handshake) {
  append_json_member(out, "protocol", "tls");
  append_json_member(out, "handshake", decode::tls_handshake_name(handshake.kind));
  append_json_member(out, "version", decode::tls_version_name(handshake.version));
  if (!handshake.server_name.empty()) append_json_member(out, "server_name", handshake.server_name);
  append_array_member(out, "alpn", handshake.alpn, append_json_string);
  if (handshake.cipher_suite != 0) append_number_member(out, "cipher_suite", handshake.cipher_suite);
}

bool is_cut(const decode::HttpMessage& message) { return message.cut; }
bool is_cut(const decode::DecodedDns& dns) { return dns.message.cut; }
bool is_cut(const decode::TlsHandshake& handshake) { return handshake.cut; }

}  // namespace

std::string json_of(const decode::Decoded& decoded) {
  std::string out = "{";
  std::visit([&out](const auto& message) { append_members(out, message); }, decoded);
  append_json_member(out, "text", decode::to_text(decoded));
  const bool cut = std::visit([](const auto& message) { return is_cut(message); }, decoded);
  return out.append("\"cut\":").append(truth(cut)).append("}");
}

}  // namespace sonde::exporter
