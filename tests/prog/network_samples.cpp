// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "packet_samples.hpp"

namespace sonde::test {
namespace {

using Change = std::function<void(sonde_packet_event&)>;
constexpr std::uint8_t udp_number = 17;

void udp_ports(sonde_packet_event& event) {
  event.source_port = 40'000;
  event.destination_port = 53;
  event.flags |= SONDE_PACKET_PORTS;
}

void add_tagged(std::vector<Sample>& samples, const std::string& name, const std::vector<Tag>& tags,
                const Change& change) {
  const auto size = static_cast<std::uint16_t>(4 * tags.size());
  const auto put = [&](const std::string& family, const Bytes& frame, sonde_packet_event event) {
    event.network_offset = static_cast<std::uint16_t>(14 + size);
    udp_ports(event);
    change(event);
    samples.push_back({name + ", " + family, frame, event});
  };
  const auto four = ethernet({.tags = tags}, ipv4({.protocol = udp_number}, udp({}, counting(9))));
  put("IPv4", four, ipv4_event(four, udp_number, static_cast<std::uint16_t>(42 + size), 9));
  const auto six = ethernet({.type = ether_ipv6, .tags = tags}, ipv6({.next = udp_number}, udp({}, counting(9))));
  put("IPv6", six, ipv6_event(six, udp_number, static_cast<std::uint16_t>(62 + size), 9));
}

void add_tags(std::vector<Sample>& samples) {
  add_tagged(samples, "no tag", {}, [](auto&) {});
  add_tagged(samples, "802.1Q", {{0x8100, 0x2064}}, [](auto& event) {
    event.flags |= SONDE_PACKET_VLAN;
    event.vlan_outer = 0x2064;
  });
  add_tagged(samples, "802.1ad alone", {{0x88a8, 0xffff}}, [](auto& event) {
    event.flags |= SONDE_PACKET_VLAN;
    event.vlan_outer = 0xffff;
  });
  add_tagged(samples, "802.1ad and 802.1Q", {{0x88a8, 100}, {0x8100, 0xe065}}, [](auto& event) {
    event.flags |= SONDE_PACKET_VLAN | SONDE_PACKET_QINQ;
    event.vlan_outer = 100;
    event.vlan_inner = 0xe065;
  });
}

// Frames that are not IP: what is behind their tags is payload.
void add_other(
    std::vector<Sample>& samples, const std::string& name, const Bytes& frame, std::uint16_t type,
    std::uint16_t payload, const Change& change = [](auto&) {}) {
  sonde_packet_event event{};
  event.packet_size = static_cast<std::uint32_t>(frame.size());
  event.ether_type = type;
  event.network_offset = event.payload_offset = payload;
  event.payload_size = event.packet_size - payload;
  change(event);
  samples.push_back({name, frame, event});
}

void add_others(std::vector<Sample>& samples) {
  add_other(samples, "ARP", ethernet({.type = ether_arp}, arp_request()), 0x0806, 14);
  add_other(samples, "tagged ARP", ethernet({.type = ether_arp, .tags = {{0x8100, 7}}}, arp_request()), 0x0806, 18,
            [](auto& event) {
              event.flags |= SONDE_PACKET_VLAN;
              event.vlan_outer = 7;
            });
  add_other(samples, "LLDP", ethernet({.type = 0x88cc}, counting(46)), 0x88cc, 14);
  add_other(samples, "802.3 length", ethernet({.type = 38}, counting(46)), 38, 14);
  add_other(samples, "near IPv4", ethernet({.type = 0x0801}, ipv4({}, tcp({}))), 0x0801, 14);
  add_other(samples, "near IPv6", ethernet({.type = 0x86dc}, ipv6({}, tcp({}))), 0x86dc, 14);
  add_other(samples, "a third tag", ethernet({.tags = {{0x88a8, 1}, {0x8100, 2}, {0x8100, 3}}}, ipv4({}, tcp({}))),
            0x8100, 22, [](auto& event) {
              event.flags |= SONDE_PACKET_VLAN | SONDE_PACKET_QINQ;
              event.vlan_outer = 1;
              event.vlan_inner = 2;
            });
}

void add_ipv4(std::vector<Sample>& samples, const std::string& name, const Ipv4& header, const Bytes& rest,
              std::uint16_t payload, std::uint32_t size, const Change& change) {
  const auto frame = ethernet({}, ipv4(header, rest));
  auto event = ipv4_event(frame, header.protocol, payload, size);
  change(event);
  samples.push_back({name, frame, event});
}

void ipv4_is_malformed(sonde_packet_event& event) {
  const auto size = event.packet_size;
  event = {};
  event.packet_size = size;
  event.ether_type = 0x0800;
  event.network_offset = event.payload_offset = 14;
  event.payload_size = size - 14;
  event.status = SONDE_PARSE_MALFORMED_NETWORK;
}

void add_ipv4_headers(std::vector<Sample>& samples) {
  const Bytes body = udp({}, counting(9));
  const Ipv4 plain{.protocol = udp_number};
  auto header = plain;
  for (const std::size_t size : {4, 12, 40}) {
    header.options = Bytes(size, 1);
    add_ipv4(samples, "IPv4 with options of " + std::to_string(size), header, body,
             static_cast<std::uint16_t>(42 + size), 9, udp_ports);
  }
  header = plain;
  header.total_length = 0;
  add_ipv4(samples, "IPv4 of length 0", header, body, 42, 9, udp_ports);
  header.total_length = 38;
  add_ipv4(samples, "IPv4 longer than the packet", header, body, 42, 9, [](auto& event) {
    udp_ports(event);
    event.status = SONDE_PARSE_TRUNCATED_PAYLOAD;
  });
  header.total_length = 36;
  add_ipv4(samples, "IPv4 shorter than UDP says", header, body, 42, 8, [](auto& event) {
    udp_ports(event);
    event.status = SONDE_PARSE_TRUNCATED_PAYLOAD;
  });
  header.total_length = 26;
  add_ipv4(samples, "ports in the packet, the rest in the padding", header, body, 34, 6, [](auto& event) {
    udp_ports(event);
    event.status = SONDE_PARSE_TRUNCATED_TRANSPORT;
  });
  header.total_length = 23;
  add_ipv4(samples, "ports in the padding", header, body, 34, 3,
           [](auto& event) { event.status = SONDE_PARSE_TRUNCATED_TRANSPORT; });
  header = plain;
  header.ttl = 1;
  add_ipv4(samples, "TTL 1", header, body, 42, 9, [](auto& event) {
    udp_ports(event);
    event.hop_limit = 1;
  });
  header = plain;
  for (const std::uint8_t first : {0x44, 0x40, 0x55, 0x65, 0x05}) {
    header.first_byte = first;
    add_ipv4(samples, "IPv4 first byte " + std::to_string(first), header, body, 0, 0, ipv4_is_malformed);
  }
  header.first_byte = 0x4f;
  add_ipv4(samples, "IPv4 header longer than the stated length", header, body, 0, 0, ipv4_is_malformed);
  header.total_length = 0;
  add_ipv4(samples, "IPv4 options beyond the packet", header, body, 14, 37,
           [](auto& event) { event.status = SONDE_PARSE_TRUNCATED_NETWORK; });
  header = plain;
  header.total_length = 19;
  add_ipv4(samples, "IPv4 length below its header", header, body, 0, 0, ipv4_is_malformed);
}

void add_ipv4_fragments(std::vector<Sample>& samples) {
  const Bytes body = udp({.length = 1480}, counting(24));
  Ipv4 header{.protocol = udp_number};
  header.fragment = 0x2000;
  add_ipv4(samples, "first IPv4 fragment", header, body, 42, 24, [](auto& event) {
    udp_ports(event);
    event.flags |= SONDE_PACKET_FRAGMENT;
  });
  for (const std::uint16_t fragment : {0x2001, 0x0001, 0x1fff, 0x20b9}) {
    header.fragment = fragment;
    add_ipv4(samples, "later IPv4 fragment " + std::to_string(fragment), header, body, 34, 32, [fragment](auto& event) {
      event.flags |= SONDE_PACKET_FRAGMENT | SONDE_PACKET_LATER_FRAGMENT;
      event.fragment_offset = fragment & 0x1fff;
    });
  }
  header.fragment = 0x8000;  // the evil bit (RFC 3514) is no fragment
  add_ipv4(samples, "reserved bit", header, udp({}, counting(9)), 42, 9, udp_ports);
}

void add_ipv6(std::vector<Sample>& samples, const std::string& name, const Ipv6& header, const Bytes& rest,
              std::uint8_t protocol, std::uint16_t payload, std::uint32_t size, const Change& change) {
  const auto frame = ethernet({.type = ether_ipv6}, ipv6(header, rest));
  auto event = ipv6_event(frame, protocol, payload, size);
  change(event);
  samples.push_back({name, frame, event});
}

void add_ipv6_headers(std::vector<Sample>& samples) {
  const Bytes body = udp({}, counting(9));
  Ipv6 header{.next = udp_number};
  header.payload_length = 0;
  add_ipv6(samples, "IPv6 of length 0", header, body, udp_number, 62, 9, udp_ports);
  header.payload_length = 18;
  add_ipv6(samples, "IPv6 longer than the packet", header, body, udp_number, 62, 9, [](auto& event) {
    udp_ports(event);
    event.status = SONDE_PARSE_TRUNCATED_PAYLOAD;
  });
  header.payload_length = 3;
  add_ipv6(samples, "IPv6, ports in the padding", header, body, udp_number, 54, 3,
           [](auto& event) { event.status = SONDE_PARSE_TRUNCATED_TRANSPORT; });
  header.payload_length = {};
  header.first_byte = 0x45;
  add_ipv6(samples, "IPv6 of version 4", header, body, 0, 0, 0, [](auto& event) {
    ipv4_is_malformed(event);
    event.ether_type = 0x86dd;
  });
}

// One extension header of each kind, near misses, and chains.
void add_ipv6_extensions(std::vector<Sample>& samples) {
  const Bytes body = udp({}, counting(9));
  for (const std::uint8_t type : {0, 43, 51, 60, 135, 139, 140})
    for (const std::size_t size : {8, 16, 64}) {
      add_ipv6(samples, "extension " + std::to_string(type) + " of " + std::to_string(size), {.next = type},
               extension(type, udp_number, size, body), udp_number, static_cast<std::uint16_t>(62 + size), 9,
               udp_ports);
    }
  add_ipv6(samples, "authentication header of 12", {.next = 51}, extension(51, udp_number, 12, body), udp_number, 74, 9,
           udp_ports);
  add_ipv6(samples, "extension of 2048", {.next = 60}, extension(60, udp_number, 2048, body), udp_number, 62 + 2048, 9,
           udp_ports);
  for (const std::uint8_t type : {1, 42, 45, 50, 52, 59, 61, 134, 141}) {
    const auto rest = extension(60, udp_number, 8, body);
    const bool icmp = type == 1;
    add_ipv6(samples, "near extension " + std::to_string(type), {.next = type}, rest, type, icmp ? 62 : 54,
             static_cast<std::uint32_t>(rest.size() - (icmp ? 8 : 0)), [&](auto& event) {
               if (icmp) event.icmp_type = rest[0], event.icmp_code = rest[1];
             });
  }
  for (const std::size_t count : {2, 3, 7, 8}) {
    Bytes chain = body;
    std::uint8_t next = udp_number;
    const std::uint8_t kinds[] = {0, 43, 60, 51, 135, 139, 140, 60};
    std::uint16_t size = 0;
    for (std::size_t i = count; i > 0; --i) {
      const auto bytes = static_cast<std::uint16_t>(8 * i);
      chain = extension(kinds[i - 1], next, bytes, chain);
      next = kinds[i - 1];
      size = static_cast<std::uint16_t>(size + bytes);
    }
    add_ipv6(samples, std::to_string(count) + " extensions", {.next = next}, chain, udp_number,
             static_cast<std::uint16_t>(62 + size), 9, udp_ports);
  }
  Bytes nine = body;
  for (int i = 0; i < 9; ++i) nine = extension(60, i == 0 ? udp_number : 60, 8, nine);
  add_ipv6(samples, "nine extensions: eight are read", {.next = 60}, nine, 60, 54 + 64, 8 + 17, [](auto&) {});
  add_ipv6(samples, "extension beyond the packet", {.next = 60}, first_of(extension(60, udp_number, 64, {}), 40), 60,
           54, 40, [](auto& event) { event.status = SONDE_PARSE_TRUNCATED_NETWORK; });
}

void add_ipv6_fragments(std::vector<Sample>& samples) {
  const Bytes body = udp({}, counting(9));
  add_ipv6(samples, "atomic IPv6 fragment", {.next = 44}, fragment_extension(udp_number, 0, body), udp_number, 70, 9,
           udp_ports);
  add_ipv6(samples, "first IPv6 fragment", {.next = 44}, fragment_extension(udp_number, 1, body), udp_number, 70, 9,
           [](auto& event) {
             udp_ports(event);
             event.flags |= SONDE_PACKET_FRAGMENT;
           });
  for (const std::uint16_t fragment : {0x0008, 0x0009, 0xfff8, 0x05a9}) {
    const auto later = [fragment](auto& event) {
      event.flags |= SONDE_PACKET_FRAGMENT | SONDE_PACKET_LATER_FRAGMENT;
      event.fragment_offset = fragment >> 3;
    };
    const auto number = std::to_string(fragment);
    add_ipv6(samples, "later IPv6 fragment " + number, {.next = 44}, fragment_extension(udp_number, fragment, body),
             udp_number, 62, 17, later);
    add_ipv6(samples, "later fragment behind extensions " + number, {.next = 0},
             extension(0, 43, 8, extension(43, 44, 24, fragment_extension(60, fragment, body))), 60, 54 + 40, 17,
             later);
  }
  add_ipv6(samples, "extension behind the first fragment", {.next = 44},
           fragment_extension(60, 1, extension(60, udp_number, 16, body)), udp_number, 54 + 8 + 16 + 8, 9,
           [](auto& event) {
             udp_ports(event);
             event.flags |= SONDE_PACKET_FRAGMENT;
           });
}

}  // namespace

std::vector<Sample> network_samples() {
  std::vector<Sample> samples;
  for (const auto& group : {add_tags, add_others, add_ipv4_headers, add_ipv4_fragments, add_ipv6_headers,
                            add_ipv6_extensions, add_ipv6_fragments})
    group(samples);
  return samples;
}

}  // namespace sonde::test
