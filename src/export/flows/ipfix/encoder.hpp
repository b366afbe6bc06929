// SPDX-License-Identifier: Apache-2.0
// Flow records as IPFIX messages (RFC 7011), elements from IANA's registry.
//
// A flow becomes two unidirectional records, one for each end that sent something since the record before; RFC 5103 has
// one record with reverse elements instead, which nfdump 1.7 and older collectors do not add up.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "sonde/flow_stream.hpp"

namespace sonde::exporter::ipfix {

inline constexpr std::uint16_t version = 10;
/// Templates. Data records have the fields that docs/ipfix.md lists, in that order.
inline constexpr std::uint16_t template_ipv4 = 256;
inline constexpr std::uint16_t template_ipv4_vlan = 257;
inline constexpr std::uint16_t template_ipv6 = 258;
inline constexpr std::uint16_t template_ipv6_vlan = 259;
inline constexpr std::uint16_t template_sampling = 260;    ///< options: every packet is taken
inline constexpr std::uint16_t template_statistics = 261;  ///< options, once at the end: what was lost

/// A whole message, and what is lost if it does not arrive.
struct Message {
  std::span<const std::uint8_t> bytes;
  std::uint64_t records = 0;  ///< of flows
  std::uint64_t packets = 0;  ///< counted in these
};

/// Statistics of the end.
struct Statistics {
  std::uint64_t records = 0;           ///< that were exported
  std::uint64_t ignored_packets = 0;   ///< lost before they were counted in a flow
  std::uint64_t not_sent_records = 0;  ///< known not to have arrived
  std::uint64_t not_sent_packets = 0;
};

/// Collects records in a message and gives it when the next one does not fit. No clock and no socket: time is given.
class Encoder {
 public:
  using Give = std::function<void(const Message&)>;

  Encoder(std::uint32_t observation_domain, Give give) : domain_(observation_domain), give_(std::move(give)) {}

  /// Of a message, from the next one on. At least 512, which every template fits into.
  void set_max_size(std::size_t bytes) { max_size_ = bytes < smallest_message ? smallest_message : bytes; }

  /// `export_time`: seconds since 1970. Templates go with the first message and again after a minute or 500 messages.
  void add(const FlowRecord& record, std::uint32_t export_time);
  /// Gives what is collected; nothing if there is nothing.
  void flush();
  void finish(const Statistics& statistics, std::uint32_t export_time);

 private:
  static constexpr std::size_t smallest_message = 512;
  static constexpr std::uint32_t template_seconds = 60;
  static constexpr std::uint32_t template_messages = 500;

  void begin(std::uint32_t export_time);
  void add_templates();
  void add_direction(const FlowRecord& record, std::size_t end, std::uint32_t export_time);
  void begin_set(std::uint16_t id);
  void end_set();

  std::uint32_t domain_;
  Give give_;
  std::size_t max_size_ = smallest_message;
  std::vector<std::uint8_t> message_;  ///< empty: none was begun
  std::size_t set_start_ = 0;          ///< 0: no set is open
  std::uint16_t set_id_ = 0;
  std::uint32_t sequence_ = 0;  ///< data records of all messages before (RFC 7011 3.1)
  std::uint32_t data_records_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t packets_ = 0;
  std::uint32_t templates_at_ = 0;
  std::uint32_t messages_since_ = 0;
  bool templates_sent_ = false;
};

}  // namespace sonde::exporter::ipfix
