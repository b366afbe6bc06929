// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "detect/scan/contacts.hpp"

namespace sonde::detect {

/// Thresholds of scans: security_options(), "scan.*".
struct ScanLimits {
  explicit ScanLimits(const SecurityConfig& config);

  std::size_t ports, hosts, bare_ports, tries;
  double failure_share, port_share;
  std::int64_t window_ns, answer_wait_ns, host_wait_ns, quiet_ns;
};

/// Is this group a scan by now? `everything` is over: nothing has to wait for an answer any more.
[[nodiscard]] bool is_port_scan(const Group& group, ScanMethod method, const ScanLimits& limits, std::int64_t wall_ns,
                                bool everything);
[[nodiscard]] bool is_host_scan(const Group& group, ScanMethod method, const Spread& spread, const ScanLimits& limits,
                                std::int64_t wall_ns, bool everything);
/// "SYN", "connect", "FIN" ...
[[nodiscard]] const char* method_name(ScanMethod method, const Group& group, bool fragments);

}  // namespace sonde::detect
