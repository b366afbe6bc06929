// SPDX-License-Identifier: Apache-2.0
// Input: a configuration of the proxy. What is refused is a usage error that names the line; what is accepted can be
// used, and every name leads where the file says.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "actuators/proxy/config/server_name.hpp"
#include "actuators/proxy/route/routes.hpp"

namespace {

void check(bool holds) {
  if (!holds) __builtin_trap();
}

bool names_a_line(const sonde::Error& error) {
  const std::string_view message = error.message;
  if (error.kind != sonde::ErrorKind::usage || !message.starts_with("f:")) return false;
  const auto end = message.find(": ");
  if (end == std::string_view::npos || end < 3) return false;
  const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
  return std::ranges::all_of(message.substr(2, end - 2), [](char c) { return c >= '0' && c <= '9'; }) &&
         std::ranges::all_of(message, printable) && std::ranges::all_of(error.hint, printable);
}

void use_route(const sonde::proxy::Routes& routes, const sonde::proxy::Route& route) {
  check(!route.config.name.empty() && !route.config.sni.empty());
  for (const auto& pattern : route.config.sni) {
    if (!pattern.starts_with("*.")) {
      check(sonde::proxy::fold_server_name(pattern) == pattern && routes.find(pattern) == &route);
      continue;
    }
    // Another route may have that very name, or the apex, but nothing has a longer suffix than all of this.
    check(sonde::proxy::fold_server_name(pattern.substr(2)) == pattern.substr(2));
    check(routes.find("no-route-has-this-label" + pattern.substr(1)) == &route);
  }
  if (!route.upstreams) return;
  check(route.upstreams->order().size() == route.config.upstreams.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = sonde::parse_proxy_config(text, "f");
  if (!config) {
    check(names_a_line(config.error()));
    return 0;
  }
  check(!config->listeners.empty() && !config->routes.empty());
  const sonde::proxy::Routes routes(*config);
  const sonde::proxy::Routes again(*config, &routes);
  for (std::size_t i = 0; i < routes.all().size(); ++i) {
    use_route(routes, *routes.all()[i]);
    check(routes.all()[i]->upstreams == again.all()[i]->upstreams);
    check(!routes.all()[i]->config.socks5 || config->socks5);
  }
  const sonde::proxy::Clients clients(config->clients);
  for (const auto& network : config->clients) check(clients.allows({network.address, 1}));
  return 0;
}
