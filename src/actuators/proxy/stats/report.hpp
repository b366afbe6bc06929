// SPDX-License-Identifier: Apache-2.0
// The statistics as JSON (/status) and as Prometheus text (/metrics).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "actuators/proxy/stats/statistics.hpp"
#include "actuators/proxy/stats/wire_report.hpp"

namespace sonde::proxy {

/// What the report says beside the counters; the server gathers it.
struct ReportFacts {
  struct Upstream {
    std::string route;
    std::string upstream;  ///< "host:port"
    bool up = true;
    bool checked = false;
    std::int64_t connections = 0;
  };
  std::vector<ProxyPathState> paths;
  std::vector<Upstream> upstreams;
  std::vector<std::string> listeners;
  std::size_t dns_cache_capacity = 0;
  bool dns_cache_in_kernel = false;
  std::string client_filter;  ///< "native XDP on eth0", or why not; empty: not wanted
  std::uint64_t filter_passed = 0, filter_dropped = 0;
  std::optional<WireFacts> wire;  ///< empty: the path is off
  unsigned workers = 0;
  bool draining = false;
  std::uint64_t reloads = 0, failed_reloads = 0;
};

[[nodiscard]] std::string status_json(const Statistics& statistics, const ReportFacts& facts);
[[nodiscard]] std::string metrics_text(const Statistics& statistics, const ReportFacts& facts);

}  // namespace sonde::proxy
