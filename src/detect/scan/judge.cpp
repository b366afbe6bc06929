// SPDX-License-Identifier: Apache-2.0
#include "detect/scan/judge.hpp"

#include <algorithm>
#include <array>

#include "detect/incident.hpp"

namespace sonde::detect {

namespace {

struct Sums {
  std::size_t failed = 0;
  std::size_t bare = 0;  ///< connected to without data
  std::size_t used = 0;
  std::size_t source_ports = 0;
};

bool is_settled(const Contact& contact, std::int64_t wait_ns, std::int64_t wall_ns, bool everything) {
  return everything || wall_ns - contact.first_ns >= wait_ns;
}

std::size_t count_source_ports(const Group& group) {
  std::vector<std::uint16_t> ports;
  ports.reserve(group.contacts.size());
  for (const auto& contact : group.contacts) ports.push_back(contact.source_port);
  std::ranges::sort(ports);
  return static_cast<std::size_t>(std::ranges::unique(ports).begin() - ports.begin());
}

/// Packets in the middle of a connection that nobody knows: leftovers of real connections have a source port each,
/// scanners keep theirs, or use a few.
bool is_leftover(ScanMethod method, const Sums& sums) {
  return (method == ScanMethod::ack || method == ScanMethod::maimon) &&
         sums.source_ports > std::max<std::size_t>(4, sums.failed / 4);
}

bool has_share(const Sums& sums, double share) {
  return static_cast<double>(sums.failed) >= share * static_cast<double>(sums.failed + sums.used);
}

}  // namespace

ScanLimits::ScanLimits(const SecurityConfig& config)
    : ports(static_cast<std::size_t>(config.get("scan.ports"))),
      hosts(static_cast<std::size_t>(config.get("scan.hosts"))),
      bare_ports(static_cast<std::size_t>(config.get("scan.bare_ports"))),
      tries(static_cast<std::size_t>(config.get("scan.tries"))),
      failure_share(config.get("scan.failure_share")),
      port_share(config.get("scan.port_share")),
      window_ns(to_ns(config.get("scan.window"))),
      answer_wait_ns(to_ns(config.get("scan.answer_wait"))),
      host_wait_ns(to_ns(config.get("scan.host_wait"))),
      quiet_ns(to_ns(config.get("scan.quiet"))) {}

bool is_port_scan(const Group& group, ScanMethod method, const ScanLimits& limits, std::int64_t wall_ns,
                  bool everything) {
  Sums sums{.source_ports = count_source_ports(group)};
  const auto wait_ns = method == ScanMethod::udp ? limits.host_wait_ns : limits.answer_wait_ns;
  for (const auto& contact : group.contacts) {
    if (wall_ns - contact.first_ns > limits.window_ns) continue;
    if (contact.answer == Answer::used)
      ++sums.used;
    else if (contact.answer == Answer::refused || contact.half_open)
      ++sums.failed;
    else if (contact.answer == Answer::open)
      ++sums.bare;
    else if (contact.answer == Answer::none && is_settled(contact, wait_ns, wall_ns, everything))
      ++sums.failed;
  }
  if (is_leftover(method, sums) || !has_share(sums, limits.failure_share)) return false;
  return sums.failed >= limits.ports || sums.failed + sums.bare >= limits.bare_ports;
}

bool is_host_scan(const Group& group, ScanMethod method, const Spread& spread, const ScanLimits& limits,
                  std::int64_t wall_ns, bool everything) {
  if (method == ScanMethod::protocol) return false;
  Sums sums{.source_ports = count_source_ports(group)};
  for (const auto& contact : group.contacts) {
    if (wall_ns - contact.first_ns > limits.window_ns) continue;
    if (contact.answer == Answer::used || contact.answer == Answer::open)
      ++sums.used;
    else if (contact.answer != Answer::pressed && contact.tries <= limits.tries &&
             is_settled(contact, limits.host_wait_ns, wall_ns, everything))
      ++sums.failed;
  }
  if (sums.failed < limits.hosts || is_leftover(method, sums) || !has_share(sums, limits.failure_share)) return false;
  // Of many failures the group remembers the last ones only; the counts are over windows that begin at other times.
  const auto here = std::max<std::uint64_t>(group.failures.sum(), sums.failed);
  const auto all = std::max(spread.failures(), here);
  return static_cast<double>(here) >= limits.port_share * static_cast<double>(all) || spread.targets() * 2 <= all;
}

const char* method_name(ScanMethod method, const Group& group, bool fragments) {
  static constexpr std::array names{"SYN", "FIN",    "NULL", "Xmas", "flags",
                                    "ACK", "Maimon", "UDP",  "SCTP", "IP protocol"};
  if (fragments && method == ScanMethod::null) return "fragmented";
  if (method != ScanMethod::tcp) return names[static_cast<std::size_t>(method)];
  const auto completed = std::ranges::count_if(group.contacts, &Contact::completed);
  const auto half_open = std::ranges::count_if(group.contacts, &Contact::half_open);
  if (completed != half_open) return completed > half_open ? "connect" : "SYN";
  // connect() takes a port of its own for each connection, scanners that write their packets themselves do not.
  return count_source_ports(group) * 2 > group.contacts.size() ? "connect" : "SYN";
}

}  // namespace sonde::detect
