// SPDX-License-Identifier: Apache-2.0
// A small capture with one packet of each kind, parsed by the parser that the program uses.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "export/sinks.hpp"
#include "sonde/packet.hpp"

namespace sonde::test {

using Buffer = std::vector<std::uint8_t>;

struct Capture {
  std::deque<Buffer> bytes;               ///< elements stay where they are
  std::deque<sonde_packet_event> events;  ///< likewise
  std::vector<Packet> packets;
  InterfaceTable interfaces;

  /// Adds a packet a microsecond and a nanosecond after the last one. Of `frame`, `captured` bytes are kept.
  void add(const Buffer& frame, std::uint32_t ifindex, sonde_direction direction, std::size_t captured = SIZE_MAX);
};

Buffer hex(std::string_view digits);
Buffer operator+(Buffer left, const Buffer& right);
Buffer corpus(const std::string& name);

Buffer ethernet(std::uint16_t ether_type, const Buffer& payload);
/// 10.0.0.1 > 10.0.0.2, `fragment` as in the header.
Buffer ipv4(std::uint8_t protocol, const Buffer& payload, std::uint16_t fragment = 0);
/// 2001:db8::1 > 2001:db8::2
Buffer ipv6(std::uint8_t protocol, const Buffer& payload);
Buffer tcp(std::uint16_t source, std::uint16_t destination, std::uint8_t flags, const Buffer& payload);
Buffer udp(std::uint16_t source, std::uint16_t destination, const Buffer& payload);

/// One packet of each kind on eth0 (1), all of Ethernet.
Capture ethernet_samples();
/// The same and two of bare IP on wg0 (2).
Capture all_samples();

/// What a sink makes of a capture: write and finish.
using MakeSink = std::function<std::unique_ptr<pipeline::Sink>(exporter::Output)>;
std::string output_of(const Capture& capture, const MakeSink& make, const pipeline::Summary& summary = {});
/// Likewise into a file.
void write_file(const Capture& capture, const MakeSink& make, const std::string& path,
                const pipeline::Summary& summary = {});
std::string read_file(const std::string& path);

}  // namespace sonde::test
