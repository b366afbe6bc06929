// SPDX-License-Identifier: Apache-2.0
#include "frames.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace sonde::bench {
namespace {

constexpr std::uint8_t hop_limit = 64;

std::uint16_t big16(std::size_t value) { return htons(static_cast<std::uint16_t>(value)); }

ethhdr ethernet_header(const Mac& destination, std::uint16_t type) {
  ethhdr header{};
  std::ranges::copy(destination, header.h_dest);
  header.h_source[0] = 2;  // locally administered
  header.h_proto = htons(type);
  return header;
}

udphdr udp_header(std::size_t size) {
  udphdr header{};
  header.source = htons(1024);
  header.dest = htons(9);
  header.len = big16(size);
  return header;
}

// RFC 1071.
std::uint16_t checksum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<std::uint16_t>(~sum));
}

template <class Header>
std::size_t put(std::vector<std::uint8_t>& frame, std::size_t at, const Header& header) {
  std::memcpy(frame.data() + at, &header, sizeof(header));
  return at + sizeof(header);
}

}  // namespace

std::vector<std::uint8_t> udp4_frame(const Mac& destination, std::size_t size) {
  std::vector<std::uint8_t> frame(size);
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.ttl = hop_limit;
  ip.protocol = IPPROTO_UDP;
  ip.tot_len = big16(size - sizeof(ethhdr));
  ip.saddr = ::inet_addr("198.18.0.1");
  ip.daddr = ::inet_addr("198.18.0.2");
  ip.check = checksum({reinterpret_cast<const std::uint8_t*>(&ip), sizeof(ip)});
  auto at = put(frame, 0, ethernet_header(destination, ETH_P_IP));
  at = put(frame, at, ip);
  put(frame, at, udp_header(size - at));
  return frame;
}

std::vector<std::uint8_t> udp6_frame(const Mac& destination, std::size_t size) {
  std::vector<std::uint8_t> frame(size);
  ip6_hdr ip{};
  ip.ip6_flow = htonl(6U << 28);
  ip.ip6_plen = big16(size - sizeof(ethhdr) - sizeof(ip6_hdr));
  ip.ip6_nxt = IPPROTO_UDP;
  ip.ip6_hlim = hop_limit;
  ::inet_pton(AF_INET6, "2001:2::1", &ip.ip6_src);
  ::inet_pton(AF_INET6, "2001:2::2", &ip.ip6_dst);
  auto at = put(frame, 0, ethernet_header(destination, ETH_P_IPV6));
  at = put(frame, at, ip);
  put(frame, at, udp_header(size - at));
  return frame;
}

}  // namespace sonde::bench
