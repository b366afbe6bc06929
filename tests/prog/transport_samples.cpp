// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "packet_samples.hpp"

namespace sonde::test {
namespace {

using Change = std::function<void(sonde_packet_event&)>;

void ports(sonde_packet_event& event, std::uint16_t source, std::uint16_t destination) {
  event.source_port = source;
  event.destination_port = destination;
  event.flags |= SONDE_PACKET_PORTS;
}

void tcp_members(sonde_packet_event& event, std::uint8_t flags = 0x18) {
  ports(event, 40'000, 443);
  event.tcp_sequence = 0x01020304;
  event.tcp_acknowledgment = 0x05060708;
  event.tcp_window = 0x1234;
  event.tcp_flags = flags;
}

// The transport over both families: `header` bytes of it are header.
void add(std::vector<Sample>& samples, const std::string& name, std::uint8_t protocol, const Bytes& transport,
         std::uint16_t header, const Change& change) {
  const auto rest = static_cast<std::uint32_t>(transport.size() - header);
  Sample four{name + " in IPv4", ethernet({}, ipv4({.protocol = protocol}, transport)), {}};
  four.expected = ipv4_event(four.frame, protocol, static_cast<std::uint16_t>(34 + header), rest);
  change(four.expected);
  samples.push_back(four);
  Sample six{name + " in IPv6", ethernet({.type = ether_ipv6}, ipv6({.next = protocol}, transport)), {}};
  six.expected = ipv6_event(six.frame, protocol, static_cast<std::uint16_t>(54 + header), rest);
  change(six.expected);
  samples.push_back(six);
}

void add_tcp(std::vector<Sample>& samples) {
  const auto plain = [](auto& event) { tcp_members(event); };
  add(samples, "TCP", 6, tcp({}), 20, plain);
  add(samples, "TCP with payload", 6, tcp({}, counting(100)), 20, plain);
  add(samples, "TCP with options", 6, tcp({.options = {2, 4, 5, 0xb4, 1, 3, 3, 7}}, counting(3)), 28, plain);
  add(samples, "TCP with most options", 6, tcp({.options = Bytes(40, 1)}, counting(1)), 60, plain);
  for (int bit = 0; bit < 8; ++bit) {
    const auto flags = static_cast<std::uint8_t>(1 << bit);
    add(samples, "TCP flag " + std::to_string(flags), 6, tcp({.flags = flags}), 20,
        [flags](auto& event) { tcp_members(event, flags); });
  }
  add(samples, "TCP with data offset 4", 6, tcp({.data_offset = 4}, counting(8)), 0, [](auto& event) {
    tcp_members(event);
    event.status = SONDE_PARSE_MALFORMED_TRANSPORT;
  });
  add(samples, "TCP with options beyond the packet", 6, tcp({.data_offset = 15}, counting(8)), 0, [](auto& event) {
    tcp_members(event);
    event.status = SONDE_PARSE_TRUNCATED_TRANSPORT;
  });
  add(samples, "TCP of four bytes", 6, first_of(tcp({}), 4), 0, [](auto& event) {
    ports(event, 40'000, 443);
    event.status = SONDE_PARSE_TRUNCATED_TRANSPORT;
  });
  add(samples, "TCP of three bytes", 6, first_of(tcp({}), 3), 0,
      [](auto& event) { event.status = SONDE_PARSE_TRUNCATED_TRANSPORT; });
}

void add_udp(std::vector<Sample>& samples) {
  const auto plain = [](auto& event) { ports(event, 40'000, 53); };
  add(samples, "UDP", 17, udp({}), 8, plain);
  add(samples, "UDP with payload", 17, udp({}, counting(500)), 8, plain);
  add(samples, "UDP of length 0", 17, udp({.length = 0}, counting(5)), 8, plain);
  add(samples, "UDP shorter than the IP payload", 17, udp({.length = 9}, counting(5)), 8, plain);
  add(samples, "UDP of length 7", 17, udp({.length = 7}, counting(5)), 8, [](auto& event) {
    ports(event, 40'000, 53);
    event.status = SONDE_PARSE_MALFORMED_TRANSPORT;
  });
  add(samples, "UDP longer than the packet", 17, udp({.length = 14}, counting(5)), 8, [](auto& event) {
    ports(event, 40'000, 53);
    event.status = SONDE_PARSE_TRUNCATED_PAYLOAD;
  });
  add(samples, "UDP of seven bytes", 17, first_of(udp({}), 7), 0, [](auto& event) {
    ports(event, 40'000, 53);
    event.status = SONDE_PARSE_TRUNCATED_TRANSPORT;
  });
}

void add_others(std::vector<Sample>& samples) {
  const auto message = [](std::uint8_t type, std::uint8_t code) {
    return [type, code](auto& event) {
      event.icmp_type = type;
      event.icmp_code = code;
    };
  };
  add(samples, "ICMP echo", 1, icmp(8, 0, counting(56)), 8, message(8, 0));
  add(samples, "ICMP port unreachable", 1, icmp(3, 3, ipv4({.protocol = 17}, udp({}))), 8, message(3, 3));
  add(samples, "ICMPv6 echo reply", 58, icmp(129, 0, counting(56)), 8, message(129, 0));
  add(samples, "ICMPv6 neighbour solicitation", 58, icmp(135, 0, counting(16)), 8, message(135, 0));
  add(samples, "ICMP of seven bytes", 1, first_of(icmp(8, 0), 7), 0,
      [](auto& event) { event.status = SONDE_PARSE_TRUNCATED_TRANSPORT; });
  add(samples, "SCTP", 132, sctp(36'412, 38'412, {1, 0, 0, 4}), 12, [](auto& event) { ports(event, 36'412, 38'412); });
  add(samples, "SCTP of eleven bytes", 132, first_of(sctp(1, 2), 11), 0, [](auto& event) {
    ports(event, 1, 2);
    event.status = SONDE_PARSE_TRUNCATED_TRANSPORT;
  });
  // Near misses: numbers beside those that have ports, with bytes that would be ports.
  for (const std::uint8_t protocol : {2, 5, 7, 16, 18, 47, 57, 131, 133, 136, 253})
    add(samples, "protocol " + std::to_string(protocol), protocol, tcp({}), 0, [](auto&) {});
}

}  // namespace

std::vector<Sample> transport_samples() {
  std::vector<Sample> samples;
  add_tcp(samples);
  add_udp(samples);
  add_others(samples);
  return samples;
}

}  // namespace sonde::test
