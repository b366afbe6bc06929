// SPDX-License-Identifier: Apache-2.0
#include "proxy/check.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sonde::cli {
namespace {

constexpr std::size_t most_shown = 4;  // names of a route

std::string duration_text(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  return count % 1000 == 0 ? fmt::format("{}s", count / 1000) : fmt::format("{}ms", count);
}

std::string names_text(const ProxyRoute& route) {
  std::string text;
  for (std::size_t i = 0; i < std::min(route.sni.size(), most_shown); ++i) text += (i > 0 ? ", " : "") + route.sni[i];
  if (route.sni.size() > most_shown) text += fmt::format(" and {} more", route.sni.size() - most_shown);
  return text;
}

std::string target_text(const ProxyRoute& route, const ProxyConfig& config) {
  if (route.upstreams.empty()) return fmt::format("the host that the name names, port {}", config.upstream_port);
  std::string text;
  for (const auto& upstream : route.upstreams) text += (text.empty() ? "" : ", ") + upstream.text();
  if (route.upstreams.size() > 1)
    text += route.balance == ProxyBalance::round_robin ? ", in turn" : ", the one with the least connections";
  const auto& check = route.health_check;
  if (check.interval.count() > 0) text += fmt::format(", checked each {}", duration_text(check.interval));
  return text;
}

void describe_routes(std::ostream& out, const ProxyConfig& config) {
  out << "routes:\n";
  for (const auto& route : config.routes) {
    out << fmt::format("  {}: {} -> {}", route.name, names_text(route), target_text(route, config));
    if (route.socks5) out << fmt::format(", through SOCKS5 {}", config.socks5 ? config.socks5->server.text() : "");
    if (route.proxy_protocol != ProxyProtocolOut::off)
      out << fmt::format(", PROXY protocol {}", route.proxy_protocol == ProxyProtocolOut::v1 ? "v1" : "v2");
    if (route.forwarding) out << fmt::format(", forwarding {}", proxy_forwarding_name(*route.forwarding));
    out << '\n';
  }
}

std::string clients_text(const ProxyConfig& config) {
  if (config.clients.empty()) return "everybody";
  const bool xdp = config.ebpf.enabled && config.ebpf.xdp;
  return std::string("those of ip_whitelist") + (xdp ? "; XDP drops the others" : "");
}

bool may_use_wire(ProxyForwarding forwarding) {
  return forwarding == ProxyForwarding::automatic || forwarding == ProxyForwarding::wire;
}

std::string wire_text(const ProxyConfig& config) {
  const bool used =
      config.ebpf.enabled && (std::ranges::any_of(config.listeners, may_use_wire, &ProxyListener::forwarding) ||
                              std::ranges::any_of(config.routes, [](const ProxyRoute& route) {
                                return route.forwarding && may_use_wire(*route.forwarding);
                              }));
  if (!used) return "off";
  const auto& wire = config.wire;
  auto text = fmt::format("after {} bytes or {}, {} connections at most", wire.after_bytes, duration_text(wire.after),
                          wire.connections);
  if (wire.max_age.count() > 0) text += fmt::format(", each for {} at most", duration_text(wire.max_age));
  return text;
}

std::string access_log_text(const std::string& path) {
  if (path == "-") return "standard output";
  return path.empty() ? "none" : path;
}

}  // namespace

void describe_proxy(std::ostream& out, const ProxyConfig& config) {
  out << "listeners:\n";
  for (const auto& listener : config.listeners)
    out << fmt::format("  {}: forwarding {}{}\n", listener.address.text(), proxy_forwarding_name(listener.forwarding),
                       listener.proxy_protocol == ProxyProtocolIn::required ? ", PROXY protocol required" : "");
  describe_routes(out, config);
  out << "clients: " << clients_text(config) << '\n';
  out << "wire splice: " << wire_text(config) << '\n';
  out << fmt::format("workers: {}\n", config.workers == 0 ? "one a CPU" : std::to_string(config.workers));
  out << fmt::format("user: {}\n", config.user);
  out << fmt::format("admin: {}\n", config.admin ? "http://" + config.admin->text() + "/status" : "none");
  const bool to_file = config.log.output == "file" || config.log.output == "both";
  out << fmt::format("log: {} to {}{}\n", config.log.level, config.log.output,
                     to_file ? ", " + config.log.file_path : "");
  out << "access log: " << access_log_text(config.access_log) << '\n';
  out << fmt::format("control: {}\n", config.control.empty() ? "none" : config.control);
}

}  // namespace sonde::cli
