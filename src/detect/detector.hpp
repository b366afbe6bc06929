// SPDX-License-Identifier: Apache-2.0
// What detectors are: functions of what they were shown, and of nothing else. Time is that of the packets, so a replay
// of the same packets gives the same events.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/flow.hpp"
#include "sonde/owner.hpp"
#include "sonde/security.hpp"

namespace sonde::detect {

struct Count {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

/// A flow at one collection. [0] is the opener everywhere.
struct FlowSight {
  std::uint64_t id = 0;
  std::int64_t wall_ns = 0;        ///< of its last packet
  std::int64_t first_wall_ns = 0;  ///< of its first
  std::uint8_t protocol = 0;
  std::array<Endpoint, 2> endpoints;
  std::array<Count, 2> delta;  ///< since the flow was shown last
  std::array<Count, 2> total;
  std::array<std::uint8_t, 2> tcp_flags{};  ///< all that were seen
  std::array<std::uint8_t, 2> hop_limit{};
  bool is_new = false;          ///< shown for the first time
  bool start_seen = false;      ///< TCP: the opener is certain
  bool unreachable = false;     ///< an ICMP error quoted a packet of it
  std::array<bool, 2> local{};  ///< the endpoint is this host, as far as the interfaces' addresses or directions tell
  FlowEnd end = FlowEnd::none;
  const SocketOwner* owner = nullptr;  ///< of the local end that opened it; null: not looked at or unknown
  std::string_view country;            ///< ISO code of the endpoint that is not local; empty: not known
  std::string_view name;               ///< SNI or first DNS question; empty: not seen
  std::string_view interface;
};

struct ArpSight {
  std::int64_t wall_ns = 0;
  bool reply = false;
  std::array<std::uint8_t, 6> sender_mac{};
  std::array<std::uint8_t, 6> frame_source{};     ///< of the Ethernet header
  std::array<std::uint8_t, 16> sender_address{};  ///< ::ffff:a.b.c.d
  std::array<std::uint8_t, 16> target_address{};
  std::string_view interface;
};

struct DnsSight {
  std::int64_t wall_ns = 0;
  Endpoint client;
  Endpoint server;
  std::string_view name;   ///< of the first question, without the last dot
  std::uint16_t type = 0;  ///< of the first question
  bool response = false;
  std::uint8_t response_code = 0;
  std::size_t answer_bytes = 0;  ///< of the message, for responses
  const SocketOwner* owner = nullptr;
};

using Report = std::function<void(SecurityEvent)>;

/// One detector. Memory is bounded whatever it is shown; the header of each says by what. Never reads a clock.
class Detector {
 public:
  virtual ~Detector() = default;
  virtual void observe(const FlowSight& /*flow*/, const Report& /*report*/) {}
  virtual void observe(const ArpSight& /*arp*/, const Report& /*report*/) {}
  virtual void observe(const DnsSight& /*dns*/, const Report& /*report*/) {}
  /// All that was seen up to this moment has been shown: windows close, what went on is updated, what is over ends.
  virtual void advance(std::int64_t wall_ns, const Report& report) = 0;
  /// Nothing more will come: what still goes on ends.
  virtual void finish(std::int64_t wall_ns, const Report& report) = 0;
};

/// All detectors, as the table in detectors.cpp lists them. Ids of events count up over all of them.
class Detectors {
 public:
  explicit Detectors(const SecurityConfig& config);
  ~Detectors();
  void observe(const FlowSight& flow, const Report& report);
  void observe(const ArpSight& arp, const Report& report);
  void observe(const DnsSight& dns, const Report& report);
  /// Time does not go back: an earlier one than before counts as the last.
  void advance(std::int64_t wall_ns, const Report& report);
  void finish(std::int64_t wall_ns, const Report& report);
  Detectors(const Detectors&) = delete;
  Detectors& operator=(const Detectors&) = delete;

 private:
  SecurityConfig config_;
  std::uint64_t last_id_ = 0;
  std::set<std::array<std::uint8_t, 16>> scanners_;
  std::int64_t now_ns_ = 0;
  std::vector<std::unique_ptr<Detector>> detectors_;
};

}  // namespace sonde::detect
