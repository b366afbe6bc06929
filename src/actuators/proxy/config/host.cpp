// SPDX-License-Identifier: Apache-2.0
// What a configuration says of the host that it is for.
#include <fmt/format.h>
#include <net/if.h>
#include <pwd.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <vector>

#include "actuators/proxy/config/draft.hpp"
#include "actuators/proxy/config/host_user.hpp"
#include "base/fd.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

// Binding to any port of it tells whether the host has the address, whoever has the port.
bool is_local(Endpoint endpoint) {
  endpoint.port = 0;
  const SocketAddress address(endpoint);
  const Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd && (::bind(fd.get(), address.get(), address.size()) == 0 || errno != EADDRNOTAVAIL);
}

Result<void> check_addresses(const std::string& file, const Draft& draft) {
  const auto check = [&](const Endpoint& endpoint) -> Result<void> {
    if (is_local(endpoint)) return {};
    const auto& [path, line, route] = draft.addresses.at(endpoint.text());
    return fail(ErrorKind::usage, fmt::format("{}:{}: {}: {}: expected an address of this host", file, line, path,
                                              in_quotes(endpoint.text())));
  };
  for (const auto& listener : draft.listeners)
    if (auto local = check(listener.address); !local) return local;
  return draft.admin ? check(*draft.admin) : Result<void>();
}

Result<void> check_host(const Value& file, const std::string& name, const Draft& draft) {
  if (auto local = check_addresses(name, draft); !local) return local;
  if (!find_host_user(draft.user))
    return file.member_or_this("user").wrong(in_quotes(draft.user), "a user of this host");
  const auto& interface = draft.ebpf.xdp_interface;
  const bool filters = draft.ebpf.enabled && draft.ebpf.xdp && !interface.empty();
  if (!filters || ::if_nametoindex(interface.c_str()) != 0) return {};
  const auto ebpf = file.member_or_this("ebpf");
  const auto xdp = ebpf.member_or_this("xdp");
  return xdp.member_or_this("interface").unexpected("an interface of this host");
}

std::optional<HostUser> user_of(const passwd* entry) {
  if (entry == nullptr) return {};
  return HostUser{.name = entry->pw_name, .id = entry->pw_uid, .group = entry->pw_gid};
}

}  // namespace

std::optional<HostUser> find_host_user(const std::string& name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) return user_of(found);
  uid_t number = 0;
  const char* const end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data(), end, number);
  if (name.empty() || parsed.ec != std::errc{} || parsed.ptr != end) return {};
  ::getpwuid_r(number, &entry, buffer.data(), buffer.size(), &found);
  return user_of(found);
}

}  // namespace sonde::proxy

namespace sonde {

Result<void> check_proxy_host(const std::string& path) {
  const auto text = proxy::read_config_text(path);
  if (!text) return std::unexpected(text.error());
  const auto tree = proxy::parse_json(*text, path);
  if (!tree) return std::unexpected(tree.error());
  const proxy::Value file(*tree, path);
  const auto draft = proxy::read_draft(file);
  if (!draft) return std::unexpected(draft.error());
  return proxy::check_host(file, path, *draft);
}

}  // namespace sonde
