// SPDX-License-Identifier: Apache-2.0
#include "harness/packet_builder.hpp"

#include <algorithm>
#include <span>

namespace sonde::test {
namespace {

void put8(Bytes& bytes, std::size_t value) { bytes.push_back(static_cast<std::uint8_t>(value)); }

void put16(Bytes& bytes, std::size_t value) {
  put8(bytes, value >> 8);
  put8(bytes, value);
}

void put32(Bytes& bytes, std::uint32_t value) {
  put16(bytes, value >> 16);
  put16(bytes, value);
}

void set16(Bytes& bytes, std::size_t at, std::uint32_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

void append(Bytes& bytes, std::span<const std::uint8_t> more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

// RFC 1071.
std::uint32_t checksum(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += static_cast<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint32_t>(~sum & 0xffff);
}

// RFC 9260 appendix A.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const auto byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

struct ChecksumPlace {
  std::size_t at;
  std::size_t header_size;
  bool with_addresses;
};

ChecksumPlace checksum_place(std::uint8_t protocol) {
  switch (protocol) {
    case 1: return {2, 8, false};
    case 6: return {16, 20, true};
    case 17: return {6, 8, true};
    case 58: return {2, 8, true};
    default: return {0, 0, false};
  }
}

Bytes with_checksum(Bytes transport, std::uint8_t protocol, std::span<const std::uint8_t> addresses) {
  const auto place = checksum_place(protocol);
  if (place.header_size == 0 || transport.size() < place.header_size) return transport;
  Bytes pseudo;
  if (place.with_addresses) {
    append(pseudo, addresses);
    put32(pseudo, static_cast<std::uint32_t>(transport.size()));
    put32(pseudo, protocol);
  }
  set16(transport, place.at, 0);
  append(pseudo, transport);
  const auto sum = checksum(pseudo);
  set16(transport, place.at, protocol == 17 && sum == 0 ? 0xffff : sum);
  return transport;
}

}  // namespace

Bytes ethernet(const Ethernet& header, const Bytes& payload) {
  Bytes bytes = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
  if (header.broadcast) std::fill_n(bytes.begin(), 6, 0xff);
  for (const auto& tag : header.tags) {
    put16(bytes, tag.tpid);
    put16(bytes, tag.tci);
  }
  put16(bytes, header.type);
  append(bytes, payload);
  if (bytes.size() < header.padded_to) bytes.resize(header.padded_to);
  return bytes;
}

Bytes ipv4(const Ipv4& header, const Bytes& payload) {
  const auto header_size = 20 + header.options.size();
  Bytes bytes;
  put8(bytes, header.first_byte.value_or(static_cast<std::uint8_t>(0x40 + header_size / 4)));
  put8(bytes, 0);
  put16(bytes, header.total_length.value_or(static_cast<std::uint16_t>(header_size + payload.size())));
  put16(bytes, 0x1111);
  put16(bytes, header.fragment);
  put8(bytes, header.ttl);
  put8(bytes, header.protocol);
  put16(bytes, 0);
  append(bytes, header.source);
  append(bytes, header.destination);
  const Bytes addresses(bytes.begin() + 12, bytes.end());
  append(bytes, header.options);
  set16(bytes, 10, checksum(bytes));
  append(bytes, (header.fragment & 0x3fff) == 0 ? with_checksum(payload, header.protocol, addresses) : payload);
  return bytes;
}

Bytes ipv6(const Ipv6& header, const Bytes& payload) {
  Bytes bytes;
  put8(bytes, header.first_byte.value_or(0x60));
  bytes.resize(4);
  put16(bytes, header.payload_length.value_or(static_cast<std::uint16_t>(payload.size())));
  put8(bytes, header.next);
  put8(bytes, header.hop_limit);
  append(bytes, header.source);
  append(bytes, header.destination);
  const Bytes addresses(bytes.begin() + 8, bytes.end());
  append(bytes, with_checksum(payload, header.next, addresses));
  return bytes;
}

Bytes tcp(const Tcp& header, const Bytes& payload) {
  Bytes bytes;
  put16(bytes, header.source_port);
  put16(bytes, header.destination_port);
  put32(bytes, header.sequence);
  put32(bytes, header.acknowledgment);
  put8(bytes, header.data_offset.value_or(static_cast<std::uint8_t>(5 + header.options.size() / 4)) << 4);
  put8(bytes, header.flags);
  put16(bytes, header.window);
  put32(bytes, 0);
  append(bytes, header.options);
  append(bytes, payload);
  return bytes;
}

Bytes udp(const Udp& header, const Bytes& payload) {
  Bytes bytes;
  put16(bytes, header.source_port);
  put16(bytes, header.destination_port);
  put16(bytes, header.length.value_or(static_cast<std::uint16_t>(8 + payload.size())));
  put16(bytes, 0);
  append(bytes, payload);
  return bytes;
}

Bytes icmp(std::uint8_t type, std::uint8_t code, const Bytes& payload) {
  Bytes bytes = {type, code, 0, 0, 0, 7, 0, 1};
  append(bytes, payload);
  return bytes;
}

Bytes sctp(std::uint16_t source_port, std::uint16_t destination_port, const Bytes& chunks) {
  Bytes bytes;
  put16(bytes, source_port);
  put16(bytes, destination_port);
  put32(bytes, 0x0a0b0c0d);
  put32(bytes, 0);
  append(bytes, chunks);
  const auto crc = crc32c(bytes);
  for (std::size_t i = 0; i < 4; ++i) bytes[8 + i] = static_cast<std::uint8_t>(crc >> (8 * i));  // least byte first
  return bytes;
}

Bytes arp_request() { return {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2}; }

Bytes extension(std::uint8_t type, std::uint8_t next, std::size_t size, const Bytes& payload) {
  constexpr std::uint8_t authentication = 51, routing = 43;
  Bytes bytes;
  put8(bytes, next);
  put8(bytes, type == authentication ? size / 4 - 2 : size / 8 - 1);
  if (type == routing) put16(bytes, 253U << 8);  // experimental type, no segments left
  while (bytes.size() < size) {                  // PadN options
    const auto room = std::min<std::size_t>(size - bytes.size(), 257);
    if (room == 1)
      put8(bytes, 0);
    else {
      put8(bytes, 1);
      put8(bytes, room - 2);
      bytes.resize(bytes.size() + room - 2);
    }
  }
  append(bytes, payload);
  return bytes;
}

Bytes fragment_extension(std::uint8_t next, std::uint16_t fragment, const Bytes& payload) {
  Bytes bytes = {next, 0};
  put16(bytes, fragment);
  put32(bytes, 0x22222222);
  append(bytes, payload);
  return bytes;
}

Bytes counting(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return bytes;
}

Bytes operator+(const Bytes& a, const Bytes& b) {
  Bytes sum = a;
  append(sum, b);
  return sum;
}

Bytes first_of(const Bytes& packet, std::size_t size) {
  return {packet.begin(), packet.begin() + static_cast<long>(std::min(size, packet.size()))};
}

}  // namespace sonde::test
