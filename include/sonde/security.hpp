// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/export.hpp"
#include "sonde/owner.hpp"
#include "sonde/result.hpp"

namespace sonde {

enum class SecurityKind : std::uint8_t {
  port_scan,  ///< one source, many ports of one target (vertical)
  host_scan,  ///< one source, one port of many targets (horizontal)
  syn_flood,  ///< half-open connections to one target
  udp_flood,
  icmp_flood,
  reflection,        ///< answers to one target that it never asked for
  new_destination,   ///< a process talks to a country or port it never talked to
  beacon,            ///< a process calls out at regular intervals
  long_idle,         ///< a connection that stays open and says next to nothing
  connect_failures,  ///< a process whose connects fail one after the other
  arp_spoof,         ///< one address, two MACs; or one MAC that takes many addresses
  dns_tunnel,        ///< data in DNS names
};

enum class Severity : std::uint8_t { info, low, medium, high };

/// An attack that goes on is one event: started, updated while it goes on, ended.
enum class SecurityState : std::uint8_t { started, updated, ended };

/// A flow as evidence.
struct SecurityFlow {
  std::int64_t wall_ns = 0;
  std::uint8_t protocol = 0;
  Endpoint source;
  Endpoint destination;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

struct SONDE_EXPORT SecurityEvent {
  std::uint64_t id = 0;  ///< the same for all states of one attack; counted up from 1
  SecurityKind kind{};
  Severity severity{};
  SecurityState state{};
  std::int64_t wall_ns = 0;        ///< of this state
  std::int64_t first_wall_ns = 0;  ///< of the first packet that belongs to it
  std::int64_t last_wall_ns = 0;   ///< of the last one so far
  std::string method;              ///< of a scan: "SYN", "connect", "FIN", "NULL", "Xmas", "ACK", "UDP"; else empty
  bool outbound = false;           ///< a process of this host does it
  std::vector<std::string> who;    ///< addresses; of many sources the first 10
  std::uint64_t sources = 0;       ///< how many there are (an estimate above 1000)
  std::vector<std::string> whom;   ///< addresses, or address:port where it is one; at most 10
  std::uint64_t targets = 0;
  SocketOwner owner;  ///< of the local end; often unknown
  std::string interface;
  std::string summary;  ///< one sentence: "SYN scan of 1000 ports of 10.0.0.2 in 3.1 s"
  /// Numbers by name in a fixed order: {"ports", "1000"}, {"rate_per_second", "322"} ...
  std::vector<std::pair<std::string, std::string>> evidence;
  std::vector<SecurityFlow> flows;  ///< samples, at most 5
  std::string response;             ///< how to stop it: "sonde guard block 10.0.0.9 --ttl 10m"; empty: nothing helps
  std::string block;                ///< the address that response blocks; empty: none

  // Of `sonde watch`, empty from the detectors.
  std::string action;         ///< what was done about it: "blocked 10.0.0.9 by rule 7 for 600 s"
  std::string undo;           ///< how to take that back: "sonde guard remove 7"
  std::string evidence_file;  ///< pcapng of its packets
};

[[nodiscard]] SONDE_EXPORT const char* security_kind_name(SecurityKind kind);     ///< "port-scan", "syn-flood" ...
[[nodiscard]] SONDE_EXPORT const char* severity_name(Severity severity);          ///< "info", "low", "medium", "high"
[[nodiscard]] SONDE_EXPORT const char* security_state_name(SecurityState state);  ///< "started", "updated", "ended"

/// One threshold of a detector: a line of the table that --set, --help, docs and set_security_config() share.
struct SecurityOption {
  const char* key;          ///< "scan.ports"
  double value;             ///< default
  double least, most;       ///< what is accepted
  const char* unit;         ///< "ports", "s", "packets/s", "" ...
  const char* description;  ///< what it is, one line
  const char* reason;       ///< why the default is this, one line
};
[[nodiscard]] SONDE_EXPORT std::span<const SecurityOption> security_options();

/// Thresholds, by key. Starts with the defaults.
class SONDE_EXPORT SecurityConfig {
 public:
  SecurityConfig();
  /// ErrorKind::usage names the key or the value, and what was expected. A duration may be "90s" or "5m" where the unit
  /// is s; on and off stand for 1 and 0.
  Result<void> set(std::string_view key, std::string_view value);
  /// The key must be in security_options().
  [[nodiscard]] double get(std::string_view key) const;

 private:
  std::vector<double> values_;  ///< in the order of security_options()
};

}  // namespace sonde
