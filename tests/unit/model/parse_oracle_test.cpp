// SPDX-License-Identifier: Apache-2.0
// Random packets through parse_packet() and through tshark: same fields.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "harness/command.hpp"
#include "model/parse.hpp"
#include "random_packet.hpp"

namespace sonde::test {
namespace {

constexpr std::size_t packet_count = 4000;

std::string pcap_file(const std::vector<std::string>& packets) {
  std::string file;
  const auto put32 = [&](std::uint32_t value) { file.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  for (const std::uint32_t value : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 262'144U, 1U}) put32(value);
  for (const auto& packet : packets) {
    const auto size = static_cast<std::uint32_t>(packet.size());
    for (const std::uint32_t value : {1U, 2U, size, size}) put32(value);
    file += packet;
  }
  return file;
}

// What tshark is asked for, and the same from an event: empty where tshark prints nothing.
struct Field {
  const char* names;  // of tshark; the first that has a value counts
  std::string (*value)(const sonde_packet_event& event);
};

std::string address(const std::uint8_t* bytes, const sonde_packet_event& event) {
  const bool ipv4 = (event.flags & SONDE_PACKET_IPV4) != 0;
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? bytes + 12 : bytes, text, sizeof(text));
}

std::string when(bool present, std::uint64_t value) { return present ? std::to_string(value) : ""; }

bool has_ports(const sonde_packet_event& event) { return (event.flags & SONDE_PACKET_PORTS) != 0; }
bool is_tcp(const sonde_packet_event& event) { return event.protocol == 6 && has_ports(event); }
bool is_icmp(const sonde_packet_event& event) {
  return (event.protocol == 1 || event.protocol == 58) && (event.flags & SONDE_PACKET_LATER_FRAGMENT) == 0;
}

using Event = const sonde_packet_event&;
const Field fields[] = {
    {"frame.len", [](Event e) { return std::to_string(e.packet_size); }},
    {"vlan.id", [](Event e) { return when(e.flags & SONDE_PACKET_VLAN, e.vlan_outer & 0xfff); }},
    {"vlan.priority", [](Event e) { return when(e.flags & SONDE_PACKET_VLAN, e.vlan_outer >> 13); }},
    {"ip.src ipv6.src", [](Event e) { return address(e.source_address, e); }},
    {"ip.dst ipv6.dst", [](Event e) { return address(e.destination_address, e); }},
    {"ip.ttl ipv6.hlim", [](Event e) { return std::to_string(e.hop_limit); }},
    {"tcp.srcport udp.srcport sctp.srcport", [](Event e) { return when(has_ports(e), e.source_port); }},
    {"tcp.dstport udp.dstport sctp.dstport", [](Event e) { return when(has_ports(e), e.destination_port); }},
    {"tcp.seq_raw", [](Event e) { return when(is_tcp(e), e.tcp_sequence); }},
    {"tcp.ack_raw", [](Event e) { return when(is_tcp(e), e.tcp_acknowledgment); }},
    {"tcp.window_size_value", [](Event e) { return when(is_tcp(e), e.tcp_window); }},
    {"tcp.len", [](Event e) { return when(is_tcp(e) && (e.flags & SONDE_PACKET_FRAGMENT) == 0, e.payload_size); }},
    {"icmp.type icmpv6.type", [](Event e) { return when(is_icmp(e), e.icmp_type); }},
    {"icmp.code icmpv6.code", [](Event e) { return when(is_icmp(e), e.icmp_code); }},
};

std::vector<std::vector<std::string>> ask_tshark(const std::string& path) {
  std::string names;
  for (const auto& field : fields) {
    for (const auto& name : split(field.names, ' ')) names += " -e " + name;
  }
  const auto output =
      run("tshark -n -r " + path + " -o ip.defragment:FALSE -o ipv6.defragment:FALSE" +
          " -o ip.check_checksum:FALSE -o tcp.check_checksum:FALSE -T fields -E occurrence=f" + names + " 2>/dev/null");
  std::vector<std::vector<std::string>> packets;
  for (const auto& line : lines_of(output)) {
    const auto cells = split(line, '\t');
    auto cell = cells.begin();
    auto& values = packets.emplace_back();
    for (const auto& field : fields) {
      values.emplace_back();
      for (std::size_t i = 0; i < split(field.names, ' ').size() && cell != cells.end(); ++i, ++cell) {
        if (values.back().empty()) values.back() = *cell;
      }
    }
  }
  return packets;
}

sonde_packet_event parse(const std::string& packet) {
  sonde_packet_event event{};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(packet.data());
  parse_packet({bytes, packet.size()}, static_cast<std::uint32_t>(packet.size()), LinkType::ethernet, {}, event);
  return event;
}

TEST(ParseOracle, AgreesWithTshark) {
  std::mt19937 random(20'240'607);
  std::vector<std::string> packets;
  packets.reserve(packet_count);
  for (std::size_t i = 0; i < packet_count; ++i) packets.push_back(random_packet(random));
  const TemporaryFile file(".pcap");
  file.write(pcap_file(packets));
  const auto expected = ask_tshark(file.path());
  ASSERT_EQ(expected.size(), packet_count);
  for (std::size_t i = 0; i < packet_count; ++i) {
    const auto event = parse(packets[i]);
    EXPECT_EQ(event.status, SONDE_PARSE_OK) << "packet " << i + 1;
    for (std::size_t field = 0; field < std::size(fields); ++field) {
      EXPECT_EQ(fields[field].value(event), expected[i][field]) << "packet " << i + 1 << ", " << fields[field].names;
    }
    if (::testing::Test::HasFailure()) break;
  }
}

// A tag beside the packet reads as one inside it.
TEST(ParseOracle, OffloadedTagReadsAsOneInThePacket) {
  std::mt19937 random(1);
  for (std::size_t i = 0; i < packet_count; ++i) {
    auto packet = random_packet(random);
    if (packet.substr(12, 2) != "\x81" + std::string(1, '\0')) continue;
    const auto inside = parse(packet);
    const auto tci =
        static_cast<std::uint16_t>(static_cast<std::uint8_t>(packet[14]) << 8 | static_cast<std::uint8_t>(packet[15]));
    packet.erase(12, 4);
    sonde_packet_event beside{};
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(packet.data());
    parse_packet({bytes, packet.size()}, static_cast<std::uint32_t>(packet.size()), LinkType::ethernet,
                 {.tci = tci, .tpid = 0x8100}, beside);
    EXPECT_EQ(std::memcmp(&inside, &beside, sizeof(inside)), 0) << "packet " << i + 1;
  }
}

}  // namespace
}  // namespace sonde::test
