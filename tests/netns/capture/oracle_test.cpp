// SPDX-License-Identifier: Apache-2.0
// The same traffic through tcpdump and sonde at once: the same packets, bytes and fields.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <thread>

#include "sonde_program.hpp"

namespace sonde::test {
namespace {

std::multiset<std::string> packet_bytes(const std::string& file) {
  const TemporaryFile pcap(".pcap");
  run("tcpdump -r " + file + " -w " + pcap.path() + " 2>/dev/null");
  const auto text = read_file(pcap.path());
  std::multiset<std::string> packets;
  for (std::size_t at = 24; at + 16 <= text.size();) {
    std::uint32_t size = 0;
    std::memcpy(&size, text.data() + at + 8, sizeof(size));
    packets.insert(text.substr(at + 16, size));
    at += 16 + size;
  }
  return packets;
}

void wait_for_listener(const NetworkNamespace& where, const std::string& port) {
  for (int i = 0; i < 100 && where.run("ss -Hltn sport " + port).empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
}

// Everyday traffic of both families: HTTP, DNS, ping, fragments, a port scan, a closed port.
void make_traffic(const Pair& pair) {
  const TemporaryFile page(".html");
  page.write(std::string(20'000, 'p'));
  Process server(pair.right, {"python3", "-m", "http.server", "8080", "--bind", "::", "-d", "/usr/share/misc"});
  wait_for_listener(pair.right, "8080");
  pair.left.run(
      "curl -s -o /dev/null http://10.9.0.2:8080/; curl -s -o /dev/null 'http://[fd09::2]:8080/nothing'; true");
  pair.left.run(
      "dig +tries=1 +timeout=1 @10.9.0.2 example.org >/dev/null; dig +tries=1 +timeout=1 @fd09::2 -t AAAA example.org "
      ">/dev/null; true");
  pair.left.run(
      "ping -c 2 -i 0.01 10.9.0.2; ping -c 2 -i 0.01 fd09::2; ping -c 1 -s 4000 10.9.0.2; ping -c 1 -s 4000 fd09::2");
  pair.left.run(
      "nmap -n -Pn -sS -p 8075-8084 --max-retries 1 10.9.0.2 >/dev/null; echo hello | nc -w 1 -u 10.9.0.2 9999; true");
  send_frames(pair.right, "veth1",
              {udp_frame(), ethernet({.type = 0x88cc}, counting(46)),
               ethernet({.broadcast = true}, ipv4({.protocol = 132}, sctp(1, 2, {1, 0, 0, 4}))),
               ethernet({.tags = {{0x8100, 100}}, .broadcast = true}, ipv4({.protocol = 17}, udp({})))});
}

// Multicast listener reports come when the kernel likes, also between the starts of the two programs.
constexpr const char* not_from_the_kernel = "not ip6 multicast";

struct Files {
  TemporaryFile tcpdump{".pcap"};
  TemporaryFile sonde{".pcapng"};
};

// tcpdump throws away at the end what it has not read yet.
void wait_until_still(const std::string& file) {
  for (std::size_t before = 0, now = read_file(file).size(); before != now; now = read_file(file).size()) {
    before = now;
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
  }
}

Captured capture_twice(const Pair& pair, const Files& files, const Words& words) {
  Process tcpdump(pair.left, {"tcpdump", "-i", "veth0", "-U", "--immediate-mode", "-B", "65536", "-s", "65535", "-w",
                              files.tcpdump.path(), not_from_the_kernel});
  EXPECT_TRUE(tcpdump.wait_for_error_text("listening on"));
  Words all = {"-i", "veth0", "-w", files.sonde.path(), "-o", "json"};
  all.insert(all.end(), words.begin(), words.end());
  all.emplace_back(not_from_the_kernel);
  auto seen = capture(pair.left, all, [&] { make_traffic(pair); });
  wait_until_still(files.tcpdump.path());
  tcpdump.signal(SIGINT);
  EXPECT_EQ(tcpdump.wait(), 0);
  EXPECT_NE(tcpdump.errors().find("\n0 packets dropped by kernel"), std::string::npos) << tcpdump.errors();
  return seen;
}

const Words fields = {"frame.len",   "eth.type",    "ip.src",      "ip.dst",    "ipv6.src",       "ipv6.dst",
                      "ip.proto",    "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq_raw",    "udp.srcport",
                      "udp.dstport", "icmp.type",   "icmpv6.type", "vlan.id",   "ip.frag_offset", "sctp.dstport"};

class Oracle : public testing::TestWithParam<Words> {};

TEST_P(Oracle, TcpdumpSeesTheSamePackets) {
  const Pair pair(NetworkNamespace::Ipv6::on);
  const Files files;
  const auto seen = capture_twice(pair, files, GetParam());
  EXPECT_EQ(seen.status, 0) << seen.errors;
  EXPECT_TRUE(seen.balanced());
  const auto ours = packet_bytes(files.sonde.path());
  const auto theirs = packet_bytes(files.tcpdump.path());
  EXPECT_GT(theirs.size(), 60U);
  EXPECT_EQ(ours.size(), theirs.size());
  EXPECT_TRUE(ours == theirs) << "packets differ";
  auto our_rows = tshark_rows(files.sonde.path(), fields);
  auto their_rows = tshark_rows(files.tcpdump.path(), fields);
  std::ranges::sort(our_rows);
  std::ranges::sort(their_rows);
  EXPECT_EQ(our_rows, their_rows);
}

INSTANTIATE_TEST_SUITE_P(Hooks, Oracle,
                         testing::Values(Words{}, Words{"--transport", "perf"}, Words{"--source", "afpacket"}));

std::string text_of(const Json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : std::to_string(value.get<std::uint64_t>());
}

std::string flag_letters(const std::string& hexadecimal) {
  const auto value = hexadecimal.empty() ? 0UL : std::stoul(hexadecimal, nullptr, 16);
  std::string letters;
  for (std::size_t bit = 0; bit < 8; ++bit)
    if ((value >> bit & 1) != 0) letters += "FSRP.UEW"[bit];
  return letters;
}

// One packet of the JSON output against the row of tshark for the same packet of the file.
void compare(const Json& packet, const std::vector<std::string>& row) {
  const auto get = [&](const char* key) { return text_of(packet.contains(key) ? packet[key] : Json()); };
  EXPECT_EQ(get("size"), row[0]);
  EXPECT_EQ(get("source"), row[2] + row[4]);
  EXPECT_EQ(get("destination"), row[3] + row[5]);
  if (!packet.contains("icmp")) {  // tshark also tells the ports of the packet that an ICMP error quotes
    EXPECT_EQ(get("source_port"), row[7] + row[11] + row[18]);
    EXPECT_EQ(get("destination_port"), row[8] + row[12] + row[17]);
    EXPECT_EQ(get("seq"), row[10]);
  }
  if (packet["protocol"] == "tcp") {
    EXPECT_EQ(get("flags"), flag_letters(row[9]));
  }
  EXPECT_EQ(packet.contains("icmp") ? text_of(packet["icmp"]["type"]) : "", row[13] + row[14]);
  EXPECT_EQ(packet.contains("vlan") ? text_of(packet["vlan"][0]) : "", row[15]);
  EXPECT_EQ(packet["status"], "ok") << packet;
}

TEST(Oracle, TsharkReadsTheSameFields) {
  const Pair pair(NetworkNamespace::Ipv6::on);
  const Files files;
  const auto seen = capture_twice(pair, files, {});
  auto all_fields = fields;
  all_fields.emplace_back("sctp.srcport");
  const auto rows = tshark_rows(files.sonde.path(), all_fields);
  ASSERT_EQ(rows.size(), seen.packets.size());
  std::size_t with_ports = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(seen.packets[i].dump());
    ASSERT_EQ(rows[i].size(), all_fields.size());
    compare(seen.packets[i], rows[i]);
    with_ports += seen.packets[i].contains("source_port") ? 1 : 0;
  }
  EXPECT_GT(with_ports, 30U);
}

}  // namespace
}  // namespace sonde::test
