// SPDX-License-Identifier: Apache-2.0
// Flows put together the plain way, from what the parser says of each packet: the oracle of bpf/flow.h.
#pragma once
#include <sonde/abi/flow.h>
#include <sonde/abi/packet.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace sonde::test {

struct ModelSide {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint32_t retransmissions = 0;
  std::uint8_t tcp_flags = 0;
  std::uint8_t hop_limit = 0;
  bool received = false;
  bool sent = false;
  std::optional<std::uint64_t> end;  ///< sequence number behind the last one sent, not wrapped
  auto operator<=>(const ModelSide&) const = default;
};

struct ModelFlow {
  std::array<ModelSide, 2> sides;  ///< the lower endpoint's first
  int opener = 0;
  bool start_seen = false;
  bool answered = false;  ///< a SYN, then a SYN-ACK
  std::optional<int> vlan;
};

class FlowModel {
 public:
  /// An event as sonde_parse() fills it, with direction and segments.
  void add(const sonde_packet_event& event);
  /// A line a flow, sorted.
  [[nodiscard]] std::vector<std::string> text() const;
  [[nodiscard]] std::uint64_t without_ip() const { return without_ip_; }

 private:
  using Endpoint = std::tuple<std::array<std::uint8_t, 16>, std::uint16_t>;
  using Key = std::tuple<Endpoint, Endpoint, std::uint8_t>;
  std::map<Key, std::vector<ModelFlow>> flows_;  ///< the last one goes on
  std::uint64_t without_ip_ = 0;
};

/// The same of the kernel's flows.
[[nodiscard]] std::vector<std::string> text_of(const std::vector<sonde_flow>& flows);

}  // namespace sonde::test
