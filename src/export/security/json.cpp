// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "export/clock.hpp"
#include "export/events/owner.hpp"
#include "export/security/security.hpp"

namespace sonde::exporter {
namespace {

using Json = nlohmann::ordered_json;

std::string time_text(std::int64_t wall_ns) {
  std::array<char, TimeText::max_size> text;
  thread_local TimeText time("%Y-%m-%dT%H:%M:%S", TimeText::Zone::utc);
  return std::string(text.data(), time.append(text.data(), wall_ns)) + "Z";
}

void add_endpoint(Json& object, const char* name, const Endpoint& endpoint) {
  object[name] = endpoint.address_text();
  if (endpoint.port != 0) object[std::string(name) + "_port"] = endpoint.port;
}

Json flow_json(const SecurityFlow& flow) {
  Json object;
  object["time"] = time_text(flow.wall_ns);
  object["protocol_number"] = flow.protocol;
  add_endpoint(object, "source", flow.source);
  add_endpoint(object, "destination", flow.destination);
  object["packets"] = flow.packets;
  object["bytes"] = flow.bytes;
  return object;
}

Json evidence_json(const SecurityEvent& event) {
  Json object = Json::object();
  for (const auto& [name, value] : event.evidence)
    object[name] = is_json_number(value) ? Json::parse(value) : Json(value);
  return object;
}

void add_text(Json& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

// RFC 8259 6, without exponents.
bool is_json_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  std::size_t whole = 0;
  while (whole < text.size() && is_digit(text[whole])) ++whole;
  if (whole == 0 || whole > 18 || (whole > 1 && text[0] == '0')) return false;
  if (whole == text.size()) return true;
  if (text[whole] != '.' || text.size() == whole + 1 || text.size() > whole + 18) return false;
  return std::ranges::all_of(text.substr(whole + 1), is_digit);
}

std::string security_json(const SecurityEvent& event) {
  Json object;
  object["type"] = "security";
  object["time"] = time_text(event.wall_ns);
  object["id"] = event.id;
  object["kind"] = security_kind_name(event.kind);
  object["severity"] = severity_name(event.severity);
  object["state"] = security_state_name(event.state);
  object["first_time"] = time_text(event.first_wall_ns);
  object["last_time"] = time_text(event.last_wall_ns);
  add_text(object, "method", event.method);
  object["outbound"] = event.outbound;
  object["who"] = event.who;
  object["sources"] = event.sources;
  object["whom"] = event.whom;
  object["targets"] = event.targets;
  if (event.owner.owner.known()) add_owner(object, event.owner);
  add_text(object, "interface", event.interface);
  object["summary"] = event.summary;
  object["evidence"] = evidence_json(event);
  object["flows"] = Json::array();
  for (const auto& flow : event.flows) object["flows"].push_back(flow_json(flow));
  add_text(object, "response", event.response);
  add_text(object, "block", event.block);
  add_text(object, "action", event.action);
  add_text(object, "undo", event.undo);
  add_text(object, "evidence_file", event.evidence_file);
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sonde::exporter
