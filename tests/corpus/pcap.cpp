// SPDX-License-Identifier: Apache-2.0
#include "pcap.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>

#include "harness/packet_builder.hpp"

namespace sonde::corpus {

namespace {

using test::Bytes;
using test::operator+;

constexpr std::size_t ethernet_size = 14, ipv4_size = 20;

void put16(Bytes& bytes, std::uint32_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

std::array<std::uint8_t, 4> last_four(const Address& address) {
  return {address[12], address[13], address[14], address[15]};
}

Bytes filling(std::uint32_t packet_bytes, std::size_t headers) {
  return test::counting(packet_bytes > headers ? std::min<std::size_t>(packet_bytes - headers, 1480) : 0);
}

/// RFC 1035 4.1: a question, and in a response one answer (TXT) that fills it up.
Bytes dns_message(const Dns& dns, std::uint32_t bytes) {
  Bytes message;
  put16(message, 0x1234);
  put16(message, dns.response ? 0x8180U | dns.response_code : 0x0100U);
  put16(message, 1);
  put16(message, dns.response ? 1 : 0);
  put16(message, 0);
  put16(message, 0);
  std::string_view rest = dns.name;
  while (!rest.empty()) {
    const auto label = rest.substr(0, rest.find('.'));
    message.push_back(static_cast<std::uint8_t>(label.size()));
    message.insert(message.end(), label.begin(), label.end());
    rest = label.size() == rest.size() ? std::string_view() : rest.substr(label.size() + 1);
  }
  message.push_back(0);
  put16(message, dns.type);
  put16(message, 1);
  if (!dns.response) return message;
  const std::size_t used = ethernet_size + ipv4_size + 8 + message.size() + 12;
  const auto data = bytes > used ? bytes - used : 0;
  put16(message, 0xc00c);
  put16(message, dns.type);
  put16(message, 1);
  put16(message, 0);
  put16(message, 60);
  put16(message, static_cast<std::uint32_t>(data));
  message.resize(message.size() + data);
  return message;
}

/// Numbers of what each endpoint of a connection has sent, so that retransmissions are none.
using Sequences = std::map<std::pair<Endpoint, Endpoint>, std::uint32_t>;

Bytes tcp_packet(const Packet& packet, Sequences& sequences) {
  auto& sent = sequences[{packet.source, packet.destination}];
  const auto payload =
      packet.flags & PSH && packet.flags & ACK ? filling(packet.bytes, ethernet_size + ipv4_size + 20) : Bytes{};
  const auto bytes =
      test::tcp({.source_port = packet.source.port,
                 .destination_port = packet.destination.port,
                 .sequence = 1000 + sent,
                 .acknowledgment = packet.flags & ACK ? 1000 + sequences[{packet.destination, packet.source}] : 0,
                 .flags = packet.flags},
                payload);
  sent += static_cast<std::uint32_t>(payload.size()) + (packet.flags & SYN ? 1 : 0) + (packet.flags & FIN ? 1 : 0);
  return bytes;
}

Bytes ipv4_packet(const Packet& packet, std::uint8_t protocol, const Address& source, const Address& destination,
                  const Bytes& payload) {
  return test::ipv4({.protocol = protocol,
                     .source = last_four(source),
                     .destination = last_four(destination),
                     .fragment = static_cast<std::uint16_t>(packet.later_fragment ? 0x00b9 : 0x4000),
                     .ttl = packet.hop_limit},
                    payload);
}

Bytes quoting(const Packet& packet) {
  Packet quoted = packet;
  quoted.quotes = false;
  Bytes transport;
  put16(transport, packet.source.port);
  put16(transport, packet.destination.port);
  transport.resize(8);
  const auto inner =
      ipv4_packet(quoted, packet.quoted_protocol, packet.source.address, packet.destination.address, transport);
  const bool arrived = packet.reporter == packet.destination.address;
  const Bytes unused(4);
  return test::icmp(arrived ? 3 : 11, arrived ? 3 : 0, unused + inner);
}

Bytes arp_packet(const Arp& arp) {
  Bytes bytes{0, 1, 8, 0, 6, 4, 0, static_cast<std::uint8_t>(arp.reply ? 2 : 1)};
  bytes.insert(bytes.end(), arp.sender_mac.begin(), arp.sender_mac.end());
  bytes.insert(bytes.end(), arp.sender.begin() + 12, arp.sender.end());
  bytes.insert(bytes.end(), 6, 0);
  bytes.insert(bytes.end(), arp.target.begin() + 12, arp.target.end());
  auto frame = test::ethernet({.type = test::ether_arp, .broadcast = !arp.reply, .padded_to = 60}, bytes);
  std::ranges::copy(arp.frame_source, frame.begin() + 6);
  return frame;
}

Bytes frame_of(const Traffic& traffic, const Packet& packet, Sequences& sequences) {
  if (packet.protocol == 0) return arp_packet(traffic.arps[static_cast<std::size_t>(packet.extra)]);
  const auto& source = packet.quotes ? packet.reporter : packet.source.address;
  const auto& destination = packet.quotes ? packet.source.address : packet.destination.address;
  Bytes payload;
  if (packet.quotes)
    payload = quoting(packet);
  else if (packet.later_fragment)
    payload = filling(packet.bytes, ethernet_size + ipv4_size);
  else if (packet.protocol == IPPROTO_TCP)
    payload = tcp_packet(packet, sequences);
  else if (packet.protocol == IPPROTO_SCTP)
    payload = test::sctp(packet.source.port, packet.destination.port, test::counting(16));
  else if (packet.protocol == IPPROTO_ICMP)
    payload = test::icmp(packet.echo_reply ? 0 : 8, 0, filling(packet.bytes, 38));
  else if (packet.protocol == IPPROTO_UDP)
    payload =
        test::udp({.source_port = packet.source.port, .destination_port = packet.destination.port},
                  packet.extra >= 0 ? dns_message(traffic.dns[static_cast<std::size_t>(packet.extra)], packet.bytes)
                                    : filling(packet.bytes, ethernet_size + ipv4_size + 8));
  else
    payload = test::counting(16);
  return test::ethernet({.padded_to = 60}, ipv4_packet(packet, packet.protocol, source, destination, payload));
}

template <class Number>
void put(std::ofstream& file, Number value) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  file.write(bytes, sizeof(value));
}

}  // namespace

bool write_pcap(const Traffic& traffic, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  put(file, std::uint32_t{0xa1b23c4d});  // nanoseconds, in the byte order of this machine
  put(file, std::uint16_t{2});
  put(file, std::uint16_t{4});
  put(file, std::uint64_t{0});
  put(file, std::uint32_t{65535});
  put(file, std::uint32_t{1});
  Sequences sequences;
  for (const auto& packet : traffic.packets)
    for (std::uint32_t i = 0; i < packet.count; ++i) {
      const auto frame = frame_of(traffic, packet, sequences);
      put(file, static_cast<std::uint32_t>(packet.wall_ns / 1'000'000'000));
      put(file, static_cast<std::uint32_t>(packet.wall_ns % 1'000'000'000));
      put(file, static_cast<std::uint32_t>(frame.size()));
      put(file, static_cast<std::uint32_t>(frame.size()));
      file.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
    }
  file.close();
  return !file.fail();
}

}  // namespace sonde::corpus
