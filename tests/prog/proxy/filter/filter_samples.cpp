// SPDX-License-Identifier: Apache-2.0
#include "filter_samples.hpp"

#include <algorithm>

namespace sonde::test {

std::array<std::uint8_t, 4> Samples::ipv4_address() {
  return {10, static_cast<std::uint8_t>(below(2)), static_cast<std::uint8_t>(below(2) * 64),
          static_cast<std::uint8_t>(below(3))};
}

std::array<std::uint8_t, 16> Samples::ipv6_address() {
  std::array<std::uint8_t, 16> address{0x20, 1, 0x0d, 0xb8};
  address[5] = static_cast<std::uint8_t>(below(2));
  address[10] = static_cast<std::uint8_t>(below(2) * 64);
  address[15] = static_cast<std::uint8_t>(below(3));
  return address;
}

std::uint16_t Samples::port() {
  constexpr std::array<std::uint16_t, 5> ports{443, 65535, 64, 63, 0};
  return ports.at(below(ports.size()));
}

Endpoint Samples::endpoint() {
  Endpoint endpoint;
  if (one_in(2)) {
    const auto address = ipv4_address();
    endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, address[0], address[1], address[2], address[3]};
  } else {
    endpoint.address = ipv6_address();
  }
  return endpoint;
}

std::vector<Endpoint> Samples::listeners() {
  std::vector<Endpoint> listeners(below(7));
  for (auto& listener : listeners) {
    listener = endpoint();
    const bool ipv4 = listener.is_ipv4();
    if (one_in(2)) std::fill(listener.address.begin() + (ipv4 ? 12 : 0), listener.address.end(), std::uint8_t{0});
    do listener.port = port();
    while (listener.port == 0);
  }
  return listeners;
}

std::vector<GuardNetwork> Samples::clients() {
  std::vector<GuardNetwork> clients(below(5));
  for (auto& network : clients) {
    const auto address = endpoint();
    network.length = static_cast<std::uint8_t>(address.is_ipv4() ? 96 + below(33) : 1 + below(128));
    if (one_in(3)) network.length = 128;
    if (one_in(20)) network.length = 0;
    for (unsigned bit = 0; bit < network.length; ++bit)
      network.address[bit / 8] |= static_cast<std::uint8_t>(address.address[bit / 8] & (0x80U >> bit % 8));
  }
  return clients;
}

Bytes Samples::segment() {
  if (one_in(8)) return udp({.source_port = port(), .destination_port = port()}, counting(below(30)));
  return tcp({.source_port = port(), .destination_port = port(), .flags = static_cast<std::uint8_t>(below(64))},
             counting(below(30)));
}

Bytes Samples::ipv4_packet() {
  Ipv4 header{.source = ipv4_address(), .destination = ipv4_address()};
  if (one_in(8)) header.protocol = 17;
  if (one_in(4)) header.options = Bytes(4 * (1 + below(10)), 1);
  if (one_in(6)) header.fragment = static_cast<std::uint16_t>(one_in(2) ? 0x2000 : below(0x4000));
  if (one_in(12)) header.first_byte = static_cast<std::uint8_t>(below(256));
  if (one_in(12)) header.total_length = static_cast<std::uint16_t>(below(80));
  return ipv4(header, segment());
}

Bytes Samples::ipv6_packet() {
  constexpr std::array<std::uint8_t, 9> types{0, 43, 60, 135, 139, 140, 44, 51, 59};
  std::uint8_t next = one_in(8) ? 17 : 6;
  Bytes payload = segment();
  for (unsigned i = one_in(2) ? below(6) : 0; i > 0; --i) {
    const auto type = types.at(below(types.size()));
    const auto fragment = static_cast<std::uint16_t>(one_in(2) ? 0 : below(0x10000));
    payload = type == 44 ? fragment_extension(next, fragment, payload)
                         : extension(type, next, type == 51 ? 8 + 4 * below(6) : 8 * (1 + below(4)), payload);
    next = type;
  }
  Ipv6 header{.next = next, .source = ipv6_address(), .destination = ipv6_address()};
  if (one_in(12)) header.first_byte = static_cast<std::uint8_t>(below(256));
  if (one_in(12)) header.payload_length = static_cast<std::uint16_t>(below(80));
  return ipv6(header, payload);
}

Bytes Samples::frame() {
  Ethernet header{.type = one_in(2) ? ether_ipv4 : ether_ipv6};
  const bool ipv4 = header.type == ether_ipv4;
  if (one_in(3))
    for (unsigned i = 1 + below(3); i > 0; --i)
      header.tags.push_back({one_in(3) ? std::uint16_t{0x88a8} : std::uint16_t{0x8100}, 5});
  if (one_in(20)) header.type = static_cast<std::uint16_t>(below(65536));
  auto frame = ethernet(header, ipv4 ? ipv4_packet() : ipv6_packet());
  if (one_in(5)) frame.resize(14 + below(static_cast<unsigned>(frame.size()) - 14));
  return frame;
}

}  // namespace sonde::test
