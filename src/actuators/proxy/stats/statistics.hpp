// SPDX-License-Identifier: Apache-2.0
// What the proxy counts. Counters are a row a worker, so that no two threads write one cache line.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/proxy.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

enum class Counter : std::uint8_t {
  total_connections,   ///< accepted
  failed_connections,  ///< accepted, allowed, and no upstream could be reached
  bytes_received,      ///< from clients, passed on; also by the kernel
  bytes_sent,          ///< to clients
  direct_requests,     ///< whose name a route without SOCKS5 has
  socks5_requests,
  rejected_requests,  ///< refused, for whatever reason of Refusal
  dns_cache_hits,
  dns_cache_misses,
  sni_parse_errors,  ///< a first flight that is no ClientHello, or one without a name
  socks5_errors,
  connection_timeouts,  ///< hello, DNS, connect, SOCKS5
  bypassed,             ///< connections that each path carried; one that changes paths counts for the best
  wired,
  sockmapped,
  spliced,
  copied,
  count
};

/// Why a connection was not relayed. Each is counted.
enum class Refusal : std::uint8_t {
  none,
  client_not_allowed,
  too_many_connections,
  too_many_of_client,
  proxy_header,  ///< required and absent, or malformed
  hello_timeout,
  hello_too_long,
  hello_incomplete,  ///< the client closed before it was whole
  plain_http,
  not_tls,
  malformed_hello,
  no_server_name,
  name_not_allowed,  ///< ECH: the outer name decides
  dns_failed,
  dns_timeout,
  no_healthy_upstream,
  connect_failed,
  connect_timeout,
  socks5_failed,
  stopped,  ///< the proxy ended before the connection was relayed
  count
};
/// "client-not-allowed", "plain-http" ...: of the access log, /status and /metrics.
[[nodiscard]] const char* refusal_name(Refusal refusal);
[[nodiscard]] const char* counter_name(Counter counter);

/// Which counter has the connections of a path; the best path first.
inline constexpr std::array<std::pair<ProxyForwarding, Counter>, 5> path_counters{
    {{ProxyForwarding::bypass, Counter::bypassed},
     {ProxyForwarding::wire, Counter::wired},
     {ProxyForwarding::sockmap, Counter::sockmapped},
     {ProxyForwarding::splice, Counter::spliced},
     {ProxyForwarding::copy, Counter::copied}}};

/// A connection when it is over: a line of the access log. Durations from accept on; zero: it did not come to that.
struct ConnectionRecord {
  std::int64_t accepted_wall_ns = 0;
  Endpoint client;  ///< who the client is: of the PROXY header where there is one
  Endpoint peer;    ///< whose socket it is
  Endpoint listener;
  std::string server_name;
  std::string alpn;  ///< offered, by comma
  std::string ja4;
  std::string route;
  std::string upstream;                          ///< "host:port" as configured
  Endpoint upstream_address;                     ///< that was connected; zero: none, or SOCKS5 resolves it
  ProxyForwarding path = ProxyForwarding::copy;  ///< the best that carried something
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_by_kernel = 0;  ///< of both
  std::chrono::nanoseconds hello{0}, resolved{0}, connected{0}, total{0};
  Refusal refusal = Refusal::none;
  std::string end;     ///< RelayEndReason's or WireEndReason's name; empty when refused
  std::string detail;  ///< of a failure: "connect 192.0.2.1:443: Connection refused"
};

class Statistics {
 public:
  /// Reads what persists. `workers`: rows. Files are opened now, so that it may be called before privileges are
  /// dropped.
  [[nodiscard]] static Result<std::unique_ptr<Statistics>> open(const ProxyConfig& config, unsigned workers);
  ~Statistics();

  /// Any thread, but one row only by its worker.
  void add(unsigned worker, Counter counter, std::uint64_t value = 1) {
    rows_[worker].values[static_cast<std::size_t>(counter)].fetch_add(value, std::memory_order_relaxed);
  }
  void refuse(unsigned worker, Refusal refusal) {
    rows_[worker].refusals[static_cast<std::size_t>(refusal)].fetch_add(1, std::memory_order_relaxed);
    add(worker, Counter::rejected_requests);
  }
  [[nodiscard]] std::uint64_t sum(Counter counter) const;
  [[nodiscard]] std::uint64_t sum(Refusal refusal) const;
  void connection_began() { active_.fetch_add(1, std::memory_order_relaxed); }
  void connection_ended() { active_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t active() const { return active_.load(std::memory_order_relaxed); }

  /// Bytes of a connection since the last call for it; also of one that goes on. Adds to the counters and to the
  /// client's.
  void add_traffic(unsigned worker, const Endpoint& client, std::uint64_t received, std::uint64_t sent);
  /// A connection of the client's has begun to be relayed.
  void add_client_connection(const Endpoint& client);
  /// The name leads to this address.
  void add_domain_address(std::string_view domain, const Endpoint& address);
  /// Over: a line of the access log, and its end is counted. Called for refused ones too. The first call starts a
  /// thread, so it is to come after privileges are dropped.
  void log(const ConnectionRecord& record);

  /// Writes the output and persistence files. Called every so often and at the end; not by a worker, it waits for the
  /// disk. What two processes add, of which one hands over to the other, sums up in the persistence file.
  [[nodiscard]] Result<void> save();
  /// Reopens the access log after it was rotated by somebody else.
  void reopen();

  struct Trackers;
  [[nodiscard]] const Trackers& trackers() const { return *trackers_; }
  [[nodiscard]] std::chrono::steady_clock::time_point started() const { return started_; }
  [[nodiscard]] std::int64_t started_wall_ns() const { return started_wall_ns_; }

 private:
  struct alignas(64) Row {
    std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Counter::count)> values{};
    std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Refusal::count)> refusals{};
  };
  Statistics();
  std::vector<Row> rows_;
  std::atomic<std::uint64_t> active_{0};
  std::chrono::steady_clock::time_point started_;
  std::int64_t started_wall_ns_ = 0;
  std::unique_ptr<Trackers> trackers_;
};

}  // namespace sonde::proxy
