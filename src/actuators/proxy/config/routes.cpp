// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "actuators/proxy/config/address.hpp"
#include "actuators/proxy/config/draft.hpp"
#include "actuators/proxy/config/server_name.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

constexpr Choice<ProxyBalance> balances[] = {{"round_robin", ProxyBalance::round_robin},
                                             {"least_connections", ProxyBalance::least_connections}};
constexpr Choice<ProxyProtocolOut> versions[] = {
    {"off", ProxyProtocolOut::off}, {"v1", ProxyProtocolOut::v1}, {"v2", ProxyProtocolOut::v2}};

// What a name that is none was probably meant to be.
std::string expected_pattern(std::string_view pattern) {
  if (pattern == "*" || pattern == "*.") return "a name or *.suffix; no pattern stands for every name";
  if (pattern.find('*') != std::string_view::npos) return "a name or *.suffix; * stands for whole labels at the begin";
  if (std::ranges::any_of(pattern, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    return "the name as it is sent, with xn-- labels (RFC 5890)";
  if (parse_address(pattern)) return "a name: an address is never sent as server name (RFC 6066)";
  if (pattern.find(':') != std::string_view::npos) return "a name without a port";
  return "a host name such as www.example.org, or *.example.org for all below it";
}

// Adds to the route, or does nothing if the route has it already.
Result<void> read_pattern(const Value& value, Draft& draft, ProxyRoute& route) {
  std::string_view word = value.raw_text();
  const bool wildcard = word.starts_with("*.");
  if (wildcard) word.remove_prefix(2);
  auto name = value.is_text() ? fold_server_name(word) : std::string();
  if (name.empty()) return value.unexpected(expected_pattern(value.raw_text()));
  if (wildcard) name.insert(0, "*.");
  const auto [at, fresh] =
      draft.patterns.try_emplace(name, Draft::Origin{value.path(), value.line(), draft.routes.size()});
  if (!fresh && at->second.route == draft.routes.size()) return {};
  if (!fresh)
    return value.wrong(
        fmt::format("{} leads elsewhere by {} (line {})", in_quotes(name), at->second.path, at->second.line),
        "each name in one route");
  route.sni.push_back(std::move(name));
  return {};
}

Result<void> read_patterns(const Value& value, Draft& draft, ProxyRoute& route) {
  return value.read_list("a list of names, such as [\"www.example.org\", \"*.example.net\"]",
                         [&](const Value& item) { return read_pattern(item, draft, route); });
}

constexpr Field<ProxyHealthCheck> health_check_fields[] = {
    {"interval",
     [](const Value& value, ProxyHealthCheck& check) { return value.read_duration(10ms, 24h, check.interval); }},
    {"timeout",
     [](const Value& value, ProxyHealthCheck& check) { return value.read_duration(10ms, 1h, check.timeout); }},
    {"rise", [](const Value& value, ProxyHealthCheck& check) { return value.read_number(1, 1000, check.rise); }},
    {"fall", [](const Value& value, ProxyHealthCheck& check) { return value.read_number(1, 1000, check.fall); }},
};

Result<void> read_health_check(const Value& value, ProxyHealthCheck& check) {
  if (auto done = read_object(value, health_check_fields, check); !done) return done;
  if (value.find("interval") == nullptr)
    return value.missing("interval", "the time between two checks, such as \"5s\"");
  return {};
}

Result<void> read_upstreams(const Value& value, std::vector<ProxyUpstream>& upstreams) {
  constexpr auto expected = "a list of host:port, such as [\"192.0.2.7:443\", \"backend.example:8443\"]";
  auto done = value.read_list(expected, [&](const Value& item) -> Result<void> {
    auto upstream = item.is_text() ? parse_upstream(item.raw_text()) : std::nullopt;
    if (!upstream) return item.unexpected("host:port, with a name or an address: [2001:db8::7]:443");
    if (std::ranges::find(upstreams, *upstream) != upstreams.end())
      return item.wrong(in_quotes(upstream->text()) + " is given twice", "each upstream once");
    upstreams.push_back(std::move(*upstream));
    return {};
  });
  if (done && upstreams.empty()) return value.unexpected("one at least; without the key: the host that the name names");
  return done;
}

/// A route that is being read.
struct RouteDraft {
  ProxyRoute route;
  Draft& draft;
};

constexpr Field<RouteDraft> route_fields[] = {
    {"name",
     [](const Value& value, RouteDraft& to) -> Result<void> {
       constexpr std::size_t longest = 64;
       if (auto done = value.read_text(to.route.name); !done) return done;
       if (to.route.name.empty() || to.route.name.size() > longest) return value.unexpected("1 to 64 bytes");
       return {};
     }},
    {"sni", [](const Value& value, RouteDraft& to) { return read_patterns(value, to.draft, to.route); }},
    {"upstreams", [](const Value& value, RouteDraft& to) { return read_upstreams(value, to.route.upstreams); }},
    {"balance",
     [](const Value& value, RouteDraft& to) { return value.read_choice<ProxyBalance>(balances, to.route.balance); }},
    {"health_check",
     [](const Value& value, RouteDraft& to) { return read_health_check(value, to.route.health_check); }},
    {"proxy_protocol",
     [](const Value& value, RouteDraft& to) {
       return value.read_choice<ProxyProtocolOut>(versions, to.route.proxy_protocol);
     }},
    {"socks5", [](const Value& value, RouteDraft& to) { return value.read_boolean(to.route.socks5); }},
    {"forwarding",
     [](const Value& value, RouteDraft& to) {
       auto forwarding = ProxyForwarding::automatic;
       auto done = read_forwarding(value, to.draft.ebpf, forwarding);
       if (done) to.route.forwarding = forwarding;
       return done;
     }},
};

// What contradicts each other.
Result<void> check_route(const Value& value, const ProxyRoute& route, const Draft& draft) {
  if (route.sni.empty())
    return value.find("sni") != nullptr ? value.member_or_this("sni").unexpected("at least one name")
                                        : value.missing("sni", "the names that go this way");
  if (route.socks5 && !draft.socks5)
    return value.member_or_this("socks5").wrong("true without a SOCKS5 server", "socks5.addr at the top");
  for (const char* const key : {"balance", "health_check"})
    if (route.upstreams.empty() && value.find(key) != nullptr)
      return Value(*value.find(key), value).wrong("there is nothing to choose from", "upstreams beside it");
  if (route.socks5 && value.find("health_check") != nullptr)
    return Value(*value.find("health_check"), value)
        .wrong("does not go through the SOCKS5 server", "socks5: false, or no health_check");
  return {};
}

Result<void> read_route(const Value& value, Draft& draft) {
  RouteDraft reading{{}, draft};
  reading.route.name = value.path();
  if (auto done = read_object(value, route_fields, reading); !done) return done;
  if (auto done = check_route(value, reading.route, draft); !done) return done;
  if (auto done = say_once(value.member_or_this("name"), reading.route.name, draft.route_names,
                           "each route to have a name of its own");
      !done)
    return done;
  draft.routes.push_back(std::move(reading.route));
  return {};
}

Result<void> read_list_as_route(const Value& value, Draft& draft, const char* name, bool socks5) {
  ProxyRoute route;
  route.name = name;
  route.socks5 = socks5;
  if (auto done = read_patterns(value, draft, route); !done || route.sni.empty()) return done;
  if (socks5 && !draft.socks5) return value.wrong("there is no SOCKS5 server", "socks5.addr at the top");
  if (auto done = say_once(value, name, draft.route_names, "no other route of this name"); !done) return done;
  draft.routes.push_back(std::move(route));
  return {};
}

}  // namespace

Result<void> read_whitelist(const Value& value, Draft& draft) {
  return read_list_as_route(value, draft, "whitelist", false);
}

Result<void> read_socks5_whitelist(const Value& value, Draft& draft) {
  return read_list_as_route(value, draft, "socks5_whitelist", true);
}

Result<void> read_routes(const Value& value, Draft& draft) {
  return value.read_list("a list of objects with sni and upstreams",
                         [&](const Value& item) { return read_route(item, draft); });
}

}  // namespace sonde::proxy
