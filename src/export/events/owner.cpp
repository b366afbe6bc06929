// SPDX-License-Identifier: Apache-2.0
#include "export/events/owner.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "export/clock.hpp"
#include "export/json/escape.hpp"
#include "export/names.hpp"

namespace sonde::exporter {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t shown_id = 12;  // of a 64-digit id, as `docker ps` shows it

bool is_printable(char character) { return character >= ' ' && character <= '~' && character != '\\'; }

// A process chooses its own name: no byte of it may reach a terminal as a control.
std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char character : text) {
    const auto byte = static_cast<std::uint8_t>(character);
    if (is_printable(character))
      out += character;
    else
      out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
  return out;
}

// As JSON strings must be: bytes that are no UTF-8 become U+FFFD.
Json json_text(std::string_view text) {
  if (std::ranges::none_of(text, [](char byte) { return static_cast<std::uint8_t>(byte) >= 0x80; }))
    return std::string(text);
  std::string quoted;
  append_json_string(quoted, text);
  return Json::parse(quoted);
}

std::string name_of(const Owner& owner) {
  const bool named = owner.process && !owner.process->comm.empty();
  return escaped(named ? owner.process->comm : owner.comm) + "[" + std::to_string(owner.pid) + "]";
}

// A systemd unit says little more than the process's name, and is left to JSON.
std::string container_text(const Owner& owner) {
  if (!owner.process || !owner.process->container || owner.process->container->runtime == "systemd") return {};
  const Container& container = *owner.process->container;
  const auto& id = container.id;
  return " " + escaped(container.runtime) + ":" + escaped(id.size() == 64 ? id.substr(0, shown_id) : id);
}

std::string doubt_text(const Owner& owner) {
  if (owner.confidence == OwnerConfidence::high) return {};
  const bool of_listener = owner.confidence == OwnerConfidence::low && owner.method != OwnerMethod::tuple;
  return std::string(" (") + owner_confidence_name(owner.confidence) + ": " +
         (of_listener ? "listener" : owner_method_name(owner.method)) + ")";
}

// A worker of a server whose parent opened the socket: that says nothing to a reader of lines.
bool is_worker_of(const Owner& owner, const Owner& opener) {
  return owner.process && opener.process && owner.process->parent_pid == opener.pid &&
         owner.process->comm == opener.process->comm;
}

std::string utc_time(std::int64_t wall_ns) {
  std::array<char, TimeText::max_size> text;
  TimeText time("%Y-%m-%dT%H:%M:%S", TimeText::Zone::utc);
  return std::string(text.data(), time.append(text.data(), wall_ns)) + "Z";
}

void add_text(Json& object, const char* name, std::string_view text) {
  if (!text.empty()) object[name] = json_text(text);
}

void add_container(Json& object, const Container& container) {
  Json& member = object["container"];
  add_text(member, "runtime", container.runtime);
  add_text(member, "id", container.id);
  add_text(member, "pod", container.pod);
}

void add_process(Json& object, const Process& process) {
  if (process.parent_pid != 0) object["parent_pid"] = process.parent_pid;
  add_text(object, "executable", process.executable);
  if (!process.command_line.empty()) {
    Json& words = object["command_line"] = Json::array();
    for (const auto& word : process.command_line) words.push_back(json_text(word));
  }
  if (process.start_wall_ns != 0) object["start_time"] = utc_time(process.start_wall_ns);
  add_text(object, "cgroup", process.cgroup);
  if (process.network_namespace != 0) object["network_namespace"] = process.network_namespace;
  if (process.container) add_container(object, *process.container);
  if (process.exited) object["exited"] = true;
}

// The user that the task had then, which the process may have changed since.
std::string_view user_of(const Owner& owner) {
  return owner.process && owner.process->uid == owner.uid ? std::string_view(owner.process->user) : std::string_view{};
}

Json owner_json(const Owner& owner) {
  Json object;
  if (owner.known()) {
    const bool named = owner.process && !owner.process->comm.empty();
    object["pid"] = owner.pid;
    object["tid"] = owner.tid;
    add_text(object, "name", named ? owner.process->comm : owner.comm);
    add_text(object, "thread", owner.comm);
    object["uid"] = owner.uid;
    add_text(object, "user", user_of(owner));
    if (owner.process) add_process(object, *owner.process);
    add_text(object, "evidence", owner_evidence_name(owner.evidence));
  }
  object["method"] = owner_method_name(owner.method);
  object["confidence"] = owner_confidence_name(owner.confidence);
  if (!owner.known()) add_text(object, "reason", owner_reason_text(owner.reason));
  return object;
}

bool is_set(const Endpoint& endpoint) {
  const auto ipv4_none = [](const Endpoint& other) {
    return other.is_ipv4() &&
           std::all_of(other.address.begin() + 12, other.address.end(), [](auto b) { return b == 0; });
  };
  return endpoint.port != 0 || (endpoint.address != Endpoint{}.address && !ipv4_none(endpoint));
}

void add_endpoint(Json& object, const char* address, const char* port, const Endpoint& endpoint) {
  if (!is_set(endpoint)) return;
  object[address] = endpoint.address_text();
  object[port] = endpoint.port;
}

// As in packets (docs/json.md).
std::string protocol_word(std::uint8_t protocol) {
  sonde_packet_event event{};
  event.flags = SONDE_PACKET_IPV4;
  event.protocol = protocol;
  return std::string(protocol_class_word(protocol_class(event)));
}

}  // namespace

std::string owner_text(const SocketOwner& owner) {
  if (!owner.owner.known()) return std::string("unknown (") + owner_reason_text(owner.owner.reason) + ")";
  auto text = name_of(owner.owner) + container_text(owner.owner) + doubt_text(owner.owner);
  if (owner.opener && !is_worker_of(owner.owner, *owner.opener))
    text += " opened by " + name_of(*owner.opener) + container_text(*owner.opener);
  return text;
}

void add_owner(Json& object, const SocketOwner& owner) {
  object["owner"] = owner_json(owner.owner);
  if (owner.opener) object["opener"] = owner_json(*owner.opener);
}

void add_socket(Json& object, const Socket& socket) {
  add_endpoint(object, "local", "local_port", socket.local);
  add_endpoint(object, "remote", "remote_port", socket.remote);
  object["protocol"] = protocol_word(socket.protocol);
  const std::string_view state = socket.protocol == IPPROTO_TCP ? tcp_state_name(socket.state) : "";
  add_text(object, "state", state);
  if (socket.network_namespace != 0) object["network_namespace"] = socket.network_namespace;
  if (socket.cookie != 0) object["cookie"] = socket.cookie;
}

}  // namespace sonde::exporter
