// SPDX-License-Identifier: Apache-2.0
// The objects of the configuration that stand for themselves.
#include <fmt/format.h>

#include "actuators/proxy/config/address.hpp"
#include "actuators/proxy/config/draft.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

constexpr Choice<std::string_view> levels[] = {{"off", "off"},   {"error", "error"}, {"warn", "warn"},
                                               {"info", "info"}, {"debug", "debug"}, {"trace", "trace"}};
constexpr Choice<std::string_view> outputs[] = {
    {"stdout", "stdout"}, {"stderr", "stderr"}, {"file", "file"}, {"both", "both"}};

template <std::size_t N>
Result<void> read_word(const Value& value, const Choice<std::string_view> (&words)[N], std::string& into) {
  std::string_view word;
  auto done = value.read_choice<std::string_view>(words, word);
  if (done) into = word;
  return done;
}

constexpr Field<Draft> log_fields[] = {
    {"level", [](const Value& value, Draft& draft) { return read_word(value, levels, draft.log.level); }},
    {"output", [](const Value& value, Draft& draft) { return read_word(value, outputs, draft.log.output); }},
    {"file_path", [](const Value& value, Draft& draft) { return read_output_file(value, draft, draft.log.file_path); }},
    {"enable_rotation", [](const Value& value, Draft& draft) { return value.read_boolean(draft.log.enable_rotation); }},
    {"max_size_mb",
     [](const Value& value, Draft& draft) { return value.read_number(1, 1'000'000, draft.log.max_size_mb); }},
    {"max_backups", [](const Value& value, Draft& draft) { return value.read_number(0, 1000, draft.log.max_backups); }},
    {"show_timestamp", [](const Value& value, Draft& draft) { return value.read_boolean(draft.log.show_timestamp); }},
    {"show_module", [](const Value& value, Draft& draft) { return value.read_boolean(draft.log.show_module); }},
    {"use_color", [](const Value& value, Draft& draft) { return value.read_boolean(draft.log.use_color); }},
};

constexpr Field<ProxyEbpf> sockmap_fields[] = {
    {"enabled", [](const Value& value, ProxyEbpf& ebpf) { return value.read_boolean(ebpf.sockmap); }},
    {"max_entries",
     [](const Value& value, ProxyEbpf& ebpf) { return value.read_number(2, 10'000'000, ebpf.sockmap_entries); }},
};
constexpr Field<ProxyEbpf> dns_cache_fields[] = {
    {"enabled", [](const Value& value, ProxyEbpf& ebpf) { return value.read_boolean(ebpf.dns_cache); }},
    {"max_entries",
     [](const Value& value, ProxyEbpf& ebpf) { return value.read_number(1, 1'000'000, ebpf.dns_cache_entries); }},
    {"pinned", [](const Value& value, ProxyEbpf& ebpf) { return value.read_boolean(ebpf.dns_cache_pinned); }},
};
constexpr Field<ProxyEbpf> stats_fields[] = {
    {"enabled", [](const Value& value, ProxyEbpf& ebpf) { return value.read_boolean(ebpf.stats); }},
};
constexpr Field<ProxyEbpf> xdp_fields[] = {
    {"enabled", [](const Value& value, ProxyEbpf& ebpf) { return value.read_boolean(ebpf.xdp); }},
    {"interface",
     [](const Value& value, ProxyEbpf& ebpf) {
       constexpr std::size_t longest = 15;  // IFNAMSIZ without its end
       auto done = value.read_text(ebpf.xdp_interface);
       if (done &&
           (ebpf.xdp_interface.size() > longest || ebpf.xdp_interface.find_first_of("/: ") != std::string::npos))
         return Result<void>(value.unexpected("the name of an interface"));
       return done;
     }},
};
constexpr Field<ProxyEbpf> ebpf_fields[] = {
    {"enabled", [](const Value& value, ProxyEbpf& ebpf) { return value.read_boolean(ebpf.enabled); }},
    {"sockmap", [](const Value& value, ProxyEbpf& ebpf) { return read_object(value, sockmap_fields, ebpf); }},
    {"dns_cache", [](const Value& value, ProxyEbpf& ebpf) { return read_object(value, dns_cache_fields, ebpf); }},
    {"stats", [](const Value& value, ProxyEbpf& ebpf) { return read_object(value, stats_fields, ebpf); }},
    {"xdp", [](const Value& value, ProxyEbpf& ebpf) { return read_object(value, xdp_fields, ebpf); }},
};

// Memory of the map CONNECTIONS is taken when it is made: 320 MB for so many.
constexpr std::uint64_t most_wire_connections = 1'000'000;
constexpr std::uint64_t most_bytes_before_wire = std::uint64_t{1} << 40;

constexpr Field<Draft> ip_traffic_fields[] = {
    {"enabled", [](const Value& value, Draft& draft) { return value.read_boolean(draft.ip_traffic.enabled); }},
    {"max_tracked_ips",
     [](const Value& value, Draft& draft) {
       return value.read_number(1, 10'000'000, draft.ip_traffic.max_tracked_ips);
     }},
    {"output_file",
     [](const Value& value, Draft& draft) { return read_output_file(value, draft, draft.ip_traffic.output_file); }},
    {"persistence_file",
     [](const Value& value, Draft& draft) {
       return read_output_file(value, draft, draft.ip_traffic.persistence_file);
     }},
};
constexpr Field<Draft> domain_ips_fields[] = {
    {"enabled", [](const Value& value, Draft& draft) { return value.read_boolean(draft.domain_ips.enabled); }},
    {"output_file",
     [](const Value& value, Draft& draft) { return read_output_file(value, draft, draft.domain_ips.output_file); }},
};

Result<void> read_credential(const Value& value, std::string& into) {
  constexpr std::size_t longest = 255;  // RFC 1929
  if (value.is_null()) return {};
  auto done = value.read_text(into);
  if (done && into.size() > longest) return value.unexpected("at most 255 bytes (RFC 1929)");
  return done;
}

constexpr Field<ProxySocks5> socks5_fields[] = {
    {"addr",
     [](const Value& value, ProxySocks5& socks5) -> Result<void> {
       const auto server = value.is_text() ? parse_upstream(value.raw_text()) : std::nullopt;
       if (!server) return value.unexpected("the SOCKS5 server as host:port, such as 127.0.0.1:1080");
       socks5.server = *server;
       return {};
     }},
    {"username", [](const Value& value, ProxySocks5& socks5) { return read_credential(value, socks5.username); }},
    {"password", [](const Value& value, ProxySocks5& socks5) { return read_credential(value, socks5.password); }},
};

constexpr auto shortest = 10ms;
constexpr auto longest_wait = std::chrono::duration_cast<Milliseconds>(24h);
constexpr auto longest_idle = std::chrono::duration_cast<Milliseconds>(365 * 24h);

constexpr Field<ProxyTimeouts> timeouts_fields[] = {
    {"hello",
     [](const Value& value, ProxyTimeouts& to) { return value.read_duration(shortest, longest_wait, to.hello); }},
    {"connect",
     [](const Value& value, ProxyTimeouts& to) { return value.read_duration(shortest, longest_wait, to.connect); }},
    {"dns", [](const Value& value, ProxyTimeouts& to) { return value.read_duration(shortest, longest_wait, to.dns); }},
    {"idle",
     [](const Value& value, ProxyTimeouts& to) { return value.read_duration(shortest, longest_idle, to.idle); }},
    {"half_closed",
     [](const Value& value, ProxyTimeouts& to) { return value.read_duration(shortest, longest_idle, to.half_closed); }},
    {"drain", [](const Value& value, ProxyTimeouts& to) { return value.read_duration(0ms, longest_wait, to.drain); }},
};

constexpr Field<ProxyLimits> limits_fields[] = {
    {"connections_per_client",
     [](const Value& value, ProxyLimits& limits) {
       return value.read_number(0, 10'000'000, limits.connections_per_client);
     }},
    {"hello_bytes",
     [](const Value& value, ProxyLimits& limits) { return value.read_number(512, 1'048'576, limits.hello_bytes); }},
};

constexpr Field<ProxyWire> wire_fields[] = {
    {"connections",
     [](const Value& value, ProxyWire& wire) { return value.read_number(1, most_wire_connections, wire.connections); }},
    {"after_bytes", [](const Value& value,
                       ProxyWire& wire) { return value.read_number(0, most_bytes_before_wire, wire.after_bytes); }},
    {"after", [](const Value& value, ProxyWire& wire) { return value.read_duration(0ms, longest_wait, wire.after); }},
    {"max_age",
     [](const Value& value, ProxyWire& wire) { return value.read_duration(0ms, longest_idle, wire.max_age); }},
};

Result<void> read_seconds(const Value& value, std::chrono::hours most, std::chrono::seconds& into) {
  Milliseconds time{0};
  if (auto done = value.read_duration(0ms, most, time); !done) return done;
  if (time % 1s != 0ms) return value.unexpected("whole seconds");
  into = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {};
}

Result<void> read_servers(const Value& value, std::vector<std::string>& servers) {
  constexpr auto expected = "a list of addresses of DNS servers, such as [\"192.0.2.53\", \"[2001:db8::53]:5353\"]";
  servers.clear();
  return value.read_list(expected, [&](const Value& item) -> Result<void> {
    const auto server = item.is_text() ? parse_address(item.raw_text()) : std::nullopt;
    if (!server) return item.unexpected("an address, with or without a port");
    servers.push_back(server->port == 0 ? server->address_text() : server->text());
    return {};
  });
}

constexpr Field<ProxyDns> dns_fields[] = {
    {"servers", [](const Value& value, ProxyDns& dns) { return read_servers(value, dns.servers); }},
    {"max_ttl", [](const Value& value, ProxyDns& dns) { return read_seconds(value, 7 * 24h, dns.max_ttl); }},
    {"negative_ttl", [](const Value& value, ProxyDns& dns) { return read_seconds(value, 24h, dns.negative_ttl); }},
};

}  // namespace

Result<void> read_log(const Value& value, Draft& draft) {
  if (auto done = read_optional_object(value, log_fields, draft); !done || value.is_null()) return done;
  if ((draft.log.output == "file" || draft.log.output == "both") && draft.log.file_path.empty())
    return value.member_or_this("output").unexpected("log.file_path beside it");
  return {};
}

Result<void> read_ebpf(const Value& value, Draft& draft) {
  return read_optional_object(value, ebpf_fields, draft.ebpf);
}

Result<void> read_wire(const Value& value, Draft& draft) {
  return read_optional_object(value, wire_fields, draft.wire);
}

Result<void> read_ip_traffic(const Value& value, Draft& draft) {
  return read_optional_object(value, ip_traffic_fields, draft);
}

Result<void> read_domain_ips(const Value& value, Draft& draft) {
  return read_optional_object(value, domain_ips_fields, draft);
}

Result<void> read_socks5(const Value& value, Draft& draft) {
  if (value.is_null()) return {};
  ProxySocks5 socks5;
  if (auto done = read_object(value, socks5_fields, socks5); !done) return done;
  if (value.find("addr") == nullptr) return value.missing("addr", "the SOCKS5 server as host:port");
  if (socks5.username.empty() != socks5.password.empty())
    return value.member_or_this(socks5.username.empty() ? "password" : "username")
        .wrong("one without the other", "username and password, both or neither");
  draft.socks5 = std::move(socks5);
  return {};
}

Result<void> read_timeouts(const Value& value, Draft& draft) {
  return read_object(value, timeouts_fields, draft.timeouts);
}

Result<void> read_limits(const Value& value, Draft& draft) { return read_object(value, limits_fields, draft.limits); }

Result<void> read_dns(const Value& value, Draft& draft) { return read_object(value, dns_fields, draft.dns); }

}  // namespace sonde::proxy
