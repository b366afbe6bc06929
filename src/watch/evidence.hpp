// SPDX-License-Identifier: Apache-2.0
// The packets of an event, as a file.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sonde/filter.hpp"
#include "sonde/result.hpp"
#include "sonde/security.hpp"
#include "watch/local_addresses.hpp"

namespace sonde::watch {

/// "20261121T152031Z-port-scan-1.pcapng": when it began, in UTC.
[[nodiscard]] std::string evidence_name(const SecurityEvent& event);

/// Which packets are evidence: ARP for what is about ARP; else those from or to the sources where the event names them
/// all, else those of its targets. Nothing: the event names no address.
struct EvidencePackets {
  bool arp = false;
  std::vector<Address> addresses;

  [[nodiscard]] bool none() const { return !arp && addresses.empty(); }
  /// The same as a filter.
  [[nodiscard]] FilterOptions filter() const;
};
[[nodiscard]] EvidencePackets evidence_packets(const SecurityEvent& event);

/// Takes the packets of events out of the file that they were found in.
class FileEvidence {
 public:
  struct Limits {
    std::uint64_t packets = 0;  ///< of an event
    std::uint32_t snaplen = 0;
  };

  /// The packets of the event, from its first one until it was over, shall go to `path`. Call again when it goes on.
  void take(const SecurityEvent& event, const std::string& path);
  /// Reads `capture_file` once more. The files are there afterwards, at most `packets` in each.
  [[nodiscard]] Result<void> write(const std::string& capture_file, const Limits& limits) const;

 private:
  struct Wanted {
    EvidencePackets packets;
    std::int64_t first_ns = 0;
    std::int64_t last_ns = 0;
    std::string path;
  };
  std::map<std::uint64_t, Wanted> events_;  ///< by id
};

}  // namespace sonde::watch
