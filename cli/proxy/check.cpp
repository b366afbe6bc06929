// SPDX-License-Identifier: Apache-2.0
#include "proxy/check.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

namespace sonde::cli {
namespace {

constexpr std::size_t most_shown = 4;  // names of a route

std::string duration_text(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  return count % 1000 == 0 ? fmt::format("{}s", count / 1000) : fmt::format("{}ms", count);
}

// By name, or by number where the name is one.
bool is_user(const std::string& name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) return true;
  uid_t number = 0;
  const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || rest != name.data() + name.size()) return false;
  ::getpwuid_r(number, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr;
}

// Binding to any port of it tells whether the host has the address, whoever has the port.
bool is_local(const Endpoint& endpoint) {
  sockaddr_storage name{};
  socklen_t size = sizeof(sockaddr_in);
  if (endpoint.is_ipv4()) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(name);
    ipv4.sin_family = AF_INET;
    std::memcpy(&ipv4.sin_addr, endpoint.address.data() + 12, sizeof(ipv4.sin_addr));
  } else {
    auto& ipv6 = reinterpret_cast<sockaddr_in6&>(name);
    ipv6.sin6_family = AF_INET6;
    std::memcpy(&ipv6.sin6_addr, endpoint.address.data(), sizeof(ipv6.sin6_addr));
    size = sizeof(sockaddr_in6);
  }
  const int fd = ::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return false;
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&name), size) == 0;
  const bool local = bound || errno != EADDRNOTAVAIL;
  ::close(fd);
  return local;
}

Result<void> check_address(const std::string& path, const char* key, const Endpoint& endpoint) {
  if (is_local(endpoint)) return {};
  return fail(ErrorKind::usage,
              fmt::format("{}: {}: \"{}\": expected an address of this host", path, key, endpoint.text()));
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

Result<void> check_host(const ProxyConfig& config, const std::string& path) {
  for (const auto& listener : config.listeners)
    if (auto local = check_address(path, "listener", listener.address); !local) return local;
  if (config.admin)
    if (auto local = check_address(path, "admin", *config.admin); !local) return local;
  if (!is_user(config.user))
    return fail(ErrorKind::usage, fmt::format("{}: user: \"{}\": expected a user of this host", path, config.user));
  const auto& interface = config.ebpf.xdp_interface;
  if (config.ebpf.enabled && config.ebpf.xdp && !interface.empty() && ::if_nametoindex(interface.c_str()) == 0)
    return fail(ErrorKind::usage,
                fmt::format("{}: ebpf.xdp.interface: \"{}\": expected an interface of this host", path, interface));
  return {};
}

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
