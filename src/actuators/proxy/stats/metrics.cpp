// SPDX-License-Identifier: Apache-2.0
// Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <string_view>
#include <utility>

#include "actuators/proxy/stats/report.hpp"
#include "actuators/proxy/stats/trackers.hpp"

namespace sonde::proxy {
namespace {

struct CounterMetric {
  Counter counter;
  std::string_view name;
  std::string_view help;
};

constexpr std::array<CounterMetric, 12> counters{
    {{Counter::total_connections, "connections_total", "Connections accepted."},
     {Counter::failed_connections, "failed_connections_total",
      "Connections that were allowed and for which no upstream could be reached."},
     {Counter::bytes_received, "received_bytes_total", "Bytes from clients that were passed on, also by the kernel."},
     {Counter::bytes_sent, "sent_bytes_total", "Bytes to clients, also by the kernel."},
     {Counter::direct_requests, "direct_requests_total", "Connections by routes without SOCKS5."},
     {Counter::socks5_requests, "socks5_requests_total", "Connections by routes through SOCKS5."},
     {Counter::rejected_requests, "rejected_requests_total", "Connections that were refused, for whatever cause."},
     {Counter::dns_cache_hits, "dns_cache_hits_total", "Names that the cache knew."},
     {Counter::dns_cache_misses, "dns_cache_misses_total", "Names that had to be asked for."},
     {Counter::sni_parse_errors, "sni_parse_errors_total", "First flights without a readable server name."},
     {Counter::socks5_errors, "socks5_errors_total", "Failures of the SOCKS5 server."},
     {Counter::connection_timeouts, "connection_timeouts_total", "Timeouts of ClientHello, DNS, connect and SOCKS5."}}};

using Label = std::pair<std::string_view, std::string_view>;

// In a label's value '\', '"' and the line's end are escaped, and the text is UTF-8.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) > 0x7e || static_cast<unsigned char>(c) < 0x20) {
      out += '?';  // names in configurations are ASCII
    } else {
      out += c;
    }
  }
  return out;
}

class Text {
 public:
  /// A family: its samples follow.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = fmt::format("sonde_proxy_{}", name);
    fmt::format_to(std::back_inserter(out_), "# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, type);
  }
  template <class Number>
  void sample(std::initializer_list<Label> labels, Number value) {
    out_ += name_;
    const char* separator = "{";
    for (const auto& [name, text] : labels) {
      fmt::format_to(std::back_inserter(out_), "{}{}=\"{}\"", separator, name, escaped(text));
      separator = ",";
    }
    fmt::format_to(std::back_inserter(out_), "{} {}\n", labels.size() > 0 ? "}" : "", value);
  }
  template <class Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample({}, value);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
  std::string name_;
};

void append_process(Text& text, const Statistics& statistics, const ReportFacts& facts) {
  text.family("build_info", "gauge", "Always 1; the label has the version.");
  text.sample({{"version", SONDE_VERSION}}, 1);
  text.single("start_time_seconds", "gauge", "When the proxy started, in seconds since 1970.",
              static_cast<double>(statistics.started_wall_ns() / 1'000'000) / 1000);
  const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - statistics.started();
  text.single("uptime_seconds", "gauge", "Seconds since the proxy started.", uptime.count());
  text.single("workers", "gauge", "Threads that forward.", facts.workers);
  text.single("draining", "gauge", "1: accepts no more and ends as its connections do.", facts.draining ? 1 : 0);
  text.family("reloads_total", "counter", "Times that the configuration was read again, by how it went.");
  text.sample({{"result", "applied"}}, facts.reloads);
  text.sample({{"result", "failed"}}, facts.failed_reloads);
}

void append_connections(Text& text, const Statistics& statistics, const ReportFacts& facts) {
  for (const CounterMetric& metric : counters)
    text.single(metric.name, "counter", metric.help, statistics.sum(metric.counter));
  text.single("active_connections", "gauge", "Connections that are open.", statistics.active());
  text.family("refusals_total", "counter", "Connections that were not relayed, by cause.");
  for (std::size_t i = 1; i < static_cast<std::size_t>(Refusal::count); ++i)
    text.sample({{"cause", refusal_name(static_cast<Refusal>(i))}}, statistics.sum(static_cast<Refusal>(i)));
  text.family("ended_connections_total", "counter", "Relayed connections that are over, by how they ended.");
  for (const auto& [end, count] : statistics.trackers().ends()) text.sample({{"reason", end}}, count);
  text.family("path_connections_total", "counter", "Relayed connections, by the best path that carried them.");
  for (const auto& [path, counter] : path_counters)
    text.sample({{"path", proxy_forwarding_name(path)}}, statistics.sum(counter));
  text.family("path_on", "gauge", "1: the forwarding path passed its test and is used.");
  for (const ProxyPathState& path : facts.paths)
    text.sample({{"path", proxy_forwarding_name(path.path)}}, path.on ? 1 : 0);
}

void append_upstreams(Text& text, const ReportFacts& facts) {
  text.family("upstream_connections", "gauge", "Open connections to an upstream.");
  for (const auto& one : facts.upstreams)
    text.sample({{"route", one.route}, {"upstream", one.upstream}}, one.connections);
  text.family("upstream_up", "gauge", "1: the health check succeeds. Upstreams without one are not listed.");
  for (const auto& one : facts.upstreams)
    if (one.checked) text.sample({{"route", one.route}, {"upstream", one.upstream}}, one.up ? 1 : 0);
}

void append_tables(Text& text, const Statistics& statistics, const ReportFacts& facts) {
  text.family("dns_cache_capacity", "gauge", "Names that the DNS cache has room for.");
  text.sample({{"in", facts.dns_cache_in_kernel ? "kernel" : "process"}}, facts.dns_cache_capacity);
  if (!facts.client_filter.empty()) {
    text.family("client_filter_packets_total", "counter", "Packets that the client filter saw, by its verdict.");
    text.sample({{"verdict", "passed"}}, facts.filter_passed);
    text.sample({{"verdict", "dropped"}}, facts.filter_dropped);
  }
  const auto& trackers = statistics.trackers();
  if (trackers.clients) {
    const ClientSums sums = trackers.clients->sums();
    text.single("tracked_clients", "gauge", "Clients whose traffic is known one by one.", sums.clients.size());
    text.single("client_departures_total", "counter", "Times that a client's traffic was added to the others'.",
                sums.departures);
  }
  if (trackers.domains)
    text.single("tracked_domains", "gauge", "Names whose addresses are known.", trackers.domains->size());
  if (trackers.access_log) {
    text.family("access_log_lines_total", "counter", "Lines of the access log, by what became of them.");
    text.sample({{"result", "written"}}, trackers.access_log->written());
    text.sample({{"result", "lost"}}, trackers.access_log->lost());
  }
}

void append_wire(Text& text, const WireFacts& wire) {
  text.single("wire_connections", "gauge", "Connections on the wire.", wire.connections);
  text.single("wire_capacity", "gauge", "Connections that the wire has room for.", wire.capacity);
  text.single("wire_joined_connections_total", "counter", "Connections put on the wire.", wire.joined);
  text.single("wire_adopted_connections_total", "counter",
              "Connections on the wire taken over from an earlier process.", wire.adopted);
  text.family("wire_refusals_total", "counter", "Connections that could not be put on the wire, by cause.");
  for (const auto& [reason, count] : wire.refused) text.sample({{"cause", reason}}, count);
  text.single("wire_packets_total", "counter", "Packets forwarded, since the maps were made.", wire.statistics.packets);
  text.single("wire_bytes_total", "counter", "Payload of these packets, repeated bytes counted again.",
              wire.statistics.bytes);
  text.family("wire_events_total", "counter", "What else became of packets, since the maps were made.");
  for (const auto& [name, value] : wire_counters) text.sample({{"event", name}}, wire.statistics.*value);
  text.family("wire_interface_attached", "gauge", "1: packets that come by the interface are forwarded.");
  for (const auto& interface : wire.interfaces)
    text.sample({{"interface", interface.name}}, interface.hook.empty() ? 0 : 1);
}

}  // namespace

std::string metrics_text(const Statistics& statistics, const ReportFacts& facts) {
  Text text;
  append_process(text, statistics, facts);
  append_connections(text, statistics, facts);
  append_upstreams(text, facts);
  append_tables(text, statistics, facts);
  if (facts.wire) append_wire(text, *facts.wire);
  return text.take();
}

}  // namespace sonde::proxy
