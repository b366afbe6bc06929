// SPDX-License-Identifier: Apache-2.0
// The file as a whole: its keys, and what they say of each other.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <ranges>

#include "actuators/proxy/config/address.hpp"
#include "actuators/proxy/config/draft.hpp"
#include "actuators/proxy/config/place.hpp"

namespace sonde::proxy {
namespace {

constexpr std::size_t most_bytes = 64 << 20;
constexpr std::size_t longest_control_path = 96;  // sockaddr_un::sun_path, with ".PID" behind it while it is made

constexpr Choice<ProxyForwarding> forwardings[] = {
    {"auto", ProxyForwarding::automatic},  {"bypass", ProxyForwarding::bypass}, {"wire", ProxyForwarding::wire},
    {"sockmap", ProxyForwarding::sockmap}, {"splice", ProxyForwarding::splice}, {"copy", ProxyForwarding::copy}};
constexpr Choice<ProxyProtocolIn> requirements[] = {{"off", ProxyProtocolIn::off},
                                                    {"required", ProxyProtocolIn::required}};
constexpr auto expected_address = "an address and a port, such as \"0.0.0.0:443\" or \"[::]:443\"";

Result<void> read_endpoint(const Value& value, Draft& draft, Endpoint& into) {
  const auto endpoint = value.is_text() ? parse_endpoint(value.raw_text()) : std::nullopt;
  if (!endpoint) return value.unexpected(expected_address);
  into = *endpoint;
  return say_once(value, endpoint->text(), draft.addresses, "each address once");
}

Result<void> read_listen_address(const Value& value, Draft& draft) {
  ProxyListener listener{.address = {}, .forwarding = draft.forwarding};
  if (auto done = read_endpoint(value, draft, listener.address); !done) return done;
  draft.listeners.push_back(listener);
  return {};
}

Result<void> read_listen_addresses(const Value& value, Draft& draft) {
  if (value.is_text()) return read_listen_address(value, draft);
  return value.read_list(std::string(expected_address) + ", or a list of them",
                         [&](const Value& item) { return read_listen_address(item, draft); });
}

/// A listener that is being read.
struct ListenerDraft {
  ProxyListener listener;
  Draft& draft;
};

constexpr Field<ListenerDraft> listener_fields[] = {
    {"address",
     [](const Value& value, ListenerDraft& to) { return read_endpoint(value, to.draft, to.listener.address); }},
    {"forwarding", [](const Value& value,
                      ListenerDraft& to) { return read_forwarding(value, to.draft.ebpf, to.listener.forwarding); }},
    {"proxy_protocol",
     [](const Value& value, ListenerDraft& to) {
       return value.read_choice<ProxyProtocolIn>(requirements, to.listener.proxy_protocol);
     }},
};

Result<void> read_listeners(const Value& value, Draft& draft) {
  return value.read_list("a list of objects with address", [&](const Value& item) -> Result<void> {
    ListenerDraft reading{{.address = {}, .forwarding = draft.forwarding}, draft};
    if (auto done = read_object(item, listener_fields, reading); !done) return done;
    if (item.find("address") == nullptr) return item.missing("address", expected_address);
    draft.listeners.push_back(reading.listener);
    return {};
  });
}

// The guard's words: "'WORD': PROBLEM; expected THIS", or "'WORD': expected THIS".
std::unexpected<Error> wrong_network(const Value& value, const std::string& message) {
  constexpr std::string_view between = "expected ";
  const auto begin = message.find("': ");
  const auto at = message.find(between);
  if (begin == std::string::npos || at == std::string::npos || at < begin + 3)
    return value.wrong(message, "an address or a network");
  const auto expected = message.substr(at + between.size());
  if (at == begin + 3) return value.unexpected(expected);
  return value.wrong(in_quotes(value.raw_text()) + ", " + message.substr(begin + 3, at - begin - 5), expected);
}

Result<void> read_clients(const Value& value, Draft& draft) {
  constexpr auto expected = "a list of addresses and networks, such as [\"192.0.2.0/24\", \"2001:db8::/32\"]";
  return value.read_list(expected, [&](const Value& item) -> Result<void> {
    if (!item.is_text()) return item.unexpected("an address or a network in quotes");
    const auto networks = parse_client_network(item.raw_text());
    if (!networks) return wrong_network(item, networks.error().message);
    draft.clients.insert(draft.clients.end(), networks->begin(), networks->end());
    return {};
  });
}

Result<void> read_user(const Value& value, Draft& draft) {
  auto done = value.read_text(draft.user);
  if (done && draft.user.empty()) return value.unexpected("the name of a user; \"root\" to stay root");
  return done;
}

Result<void> read_admin(const Value& value, Draft& draft) {
  if (value.is_null()) return {};
  Endpoint endpoint;
  auto done = read_endpoint(value, draft, endpoint);
  if (done) draft.admin = endpoint;
  return done;
}

Result<void> read_control(const Value& value, Draft& draft) {
  auto done = value.read_text(draft.control);
  if (done && !draft.control.empty() && (draft.control.size() > longest_control_path || draft.control[0] != '/'))
    return value.unexpected(
        fmt::format("a path from / on of at most {} bytes, or \"\" for none", longest_control_path));
  return done;
}

Result<void> read_access_log(const Value& value, Draft& draft) {
  return read_output_file(value, draft, draft.access_log);
}

// In the order in which one needs the other.
constexpr Field<Draft> fields[] = {
    {"log", read_log},
    {"ebpf", read_ebpf},
    {"wire", read_wire},
    {"socks5", read_socks5},
    {"forwarding",
     [](const Value& value, Draft& draft) { return read_forwarding(value, draft.ebpf, draft.forwarding); }},
    {"listen_addr", read_listen_addresses},
    {"listeners", read_listeners},
    {"whitelist", read_whitelist},
    {"socks5_whitelist", read_socks5_whitelist},
    {"routes", read_routes},
    {"upstream_port",
     [](const Value& value, Draft& draft) { return value.read_number(1, 65535, draft.upstream_port); }},
    {"ip_whitelist", read_clients},
    {"ip_traffic_tracking", read_ip_traffic},
    {"domain_ip_tracking", read_domain_ips},
    {"max_connections",
     [](const Value& value, Draft& draft) { return value.read_number(0, 10'000'000, draft.limits.connections); }},
    {"timeouts", read_timeouts},
    {"limits", read_limits},
    {"dns", read_dns},
    {"workers", [](const Value& value, Draft& draft) { return value.read_number(0, 1024, draft.workers); }},
    {"user", read_user},
    {"admin", read_admin},
    {"access_log", read_access_log},
    {"control", read_control},
};

// What is only seen when all has been read.
Result<void> check_whole(const Value& file, const Draft& draft) {
  if (draft.listeners.empty()) return file.missing("listen_addr", expected_address);
  if (draft.routes.empty())
    return file.missing("whitelist", "at least one name in whitelist, socks5_whitelist or routes");
  if (draft.ebpf.enabled && draft.ebpf.xdp && draft.clients.empty()) {
    const auto ebpf = file.member_or_this("ebpf");
    const auto xdp = ebpf.member_or_this("xdp");
    return xdp.member_or_this("enabled").wrong("true, and there is nothing to filter by", "ip_whitelist");
  }
  return {};
}

}  // namespace

Result<void> say_once(const Value& value, const std::string& what, std::unordered_map<std::string, Draft::Origin>& said,
                      const std::string& expected) {
  const auto [at, fresh] = said.try_emplace(what, Draft::Origin{value.path(), value.line()});
  if (fresh) return {};
  return value.wrong(fmt::format("{} is said by {} (line {})", in_quotes(what), at->second.path, at->second.line),
                     expected);
}

Result<void> read_forwarding(const Value& value, const ProxyEbpf& ebpf, ProxyForwarding& into) {
  if (auto done = value.read_choice<ProxyForwarding>(forwardings, into); !done) return done;
  if ((into == ProxyForwarding::bypass || into == ProxyForwarding::sockmap) && !(ebpf.enabled && ebpf.sockmap))
    return value.wrong(in_quotes(value.raw_text()) + " is switched off by ebpf",
                       "ebpf.enabled and ebpf.sockmap.enabled to be true, or another way");
  if (into == ProxyForwarding::wire && !ebpf.enabled)
    return value.wrong(in_quotes(value.raw_text()) + " is switched off by ebpf",
                       "ebpf.enabled to be true, or another way");
  return {};
}

Result<void> read_output_file(const Value& value, Draft& draft, std::string& into) {
  if (value.is_null()) return {};
  if (auto done = value.read_text(into); !done || into.empty() || into == "-") return done;
  return say_once(value, into, draft.files, "a file of its own for each");
}

Result<Draft> read_draft(const Value& file) {
  Draft draft;
  if (auto done = read_object(file, fields, draft); !done) return std::unexpected(done.error());
  if (auto done = check_whole(file, draft); !done) return std::unexpected(done.error());
  return draft;
}

Result<std::string> read_config_text(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) return fail_errno("cannot read " + path);
  if (S_ISDIR(about.st_mode)) return fail_errno(EISDIR, "cannot read " + path);
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail_errno("cannot read " + path);
  std::string text;
  for (char part[65536]; file.read(part, sizeof(part)) || file.gcount() > 0;) {
    text.append(part, static_cast<std::size_t>(file.gcount()));
    if (text.size() > most_bytes) return fail_errno(EFBIG, "cannot read " + path);
  }
  if (file.bad()) return fail_errno("cannot read " + path);
  return text;
}

std::string place_of_key(const std::string& path, std::string_view key) {
  const auto text = read_config_text(path);
  const auto tree = text ? parse_json(*text, path) : std::unexpected(text.error());
  const Node* node = tree ? &*tree : nullptr;
  for (const auto part : std::views::split(key, '.')) {
    if (node == nullptr) break;
    const auto found = std::ranges::find(node->children, std::string_view(part.begin(), part.end()), &Node::key);
    node = found == node->children.end() ? nullptr : &*found;
  }
  return node == nullptr ? fmt::format("{}: {}", path, key) : fmt::format("{}:{}: {}", path, node->key_line, key);
}

}  // namespace sonde::proxy

namespace sonde {

Result<ProxyConfig> parse_proxy_config(std::string_view text, const std::string& name) {
  const auto tree = proxy::parse_json(text, name);
  if (!tree) return std::unexpected(tree.error());
  auto draft = proxy::read_draft(proxy::Value(*tree, name));
  if (!draft) return std::unexpected(draft.error());
  return static_cast<ProxyConfig&&>(*draft);
}

Result<ProxyConfig> read_proxy_config(const std::string& path) {
  const auto text = proxy::read_config_text(path);
  if (!text) return std::unexpected(text.error());
  return parse_proxy_config(*text, path);
}

}  // namespace sonde
