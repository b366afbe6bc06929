// SPDX-License-Identifier: Apache-2.0
// Two other programs read what `sonde flows -o ipfix` sends: nfcapd with nfdump, and tshark. Both must find the packets
// that were sent, flow by flow.
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>

#include "flows_program.hpp"

namespace sonde::test {
namespace {

struct Sent {
  Bytes frame;
  std::size_t count;
  bool received;     ///< from the other end
  std::string flow;  ///< "source,destination,source port,destination port,protocol"
};

Bytes udp4(std::uint16_t port, std::size_t size, std::vector<Tag> tags = {}) {
  return ethernet({.tags = std::move(tags), .broadcast = true},
                  ipv4({.protocol = 17}, udp({.destination_port = port}, counting(size))));
}

Bytes tcp4(std::uint8_t flags, bool back = false) {
  Ipv4 header{.protocol = 6};
  Tcp segment{.flags = flags};
  if (back) std::swap(header.source, header.destination);
  if (back) std::swap(segment.source_port, segment.destination_port);
  return ethernet({.broadcast = true}, ipv4(header, tcp(segment)));
}

std::vector<Sent> traffic() {
  const auto v6 = ethernet({.type = ether_ipv6, .broadcast = true}, ipv6({.next = 17}, udp({}, counting(200))));
  const std::string tcp_from = "10.0.0.1,10.0.0.2,40000,443,6", tcp_to = "10.0.0.2,10.0.0.1,443,40000,6";
  return {{udp4(53, 100), 70, false, "10.0.0.1,10.0.0.2,40000,53,17"},
          {udp4(54, 1000), 30, true, "10.0.0.1,10.0.0.2,40000,54,17"},
          {udp4(55, 50, {{0x8100, 42}}), 5, false, "10.0.0.1,10.0.0.2,40000,55,17"},
          {v6, 9, true, "2001:db8::1,2001:db8::2,40000,53,17"},
          {tcp4(2), 1, false, tcp_from},
          {tcp4(0x12, true), 1, true, tcp_to},
          {tcp4(0x10), 3, false, tcp_from},
          {tcp4(0x11), 1, false, tcp_from},
          {tcp4(0x11, true), 1, true, tcp_to}};
}

struct Count {
  std::uint64_t packets = 0, bytes = 0;
  friend bool operator==(const Count&, const Count&) = default;
  friend void PrintTo(const Count& count, std::ostream* out) { *out << count.packets << " packets " << count.bytes; }
};
using Counts = std::map<std::string, Count>;

Counts expected() {
  Counts counts;
  for (const auto& sent : traffic()) {
    counts[sent.flow].packets += sent.count;
    counts[sent.flow].bytes += sent.count * sent.frame.size();
  }
  return counts;
}

void send_traffic(const Pair& pair) {
  for (const auto& sent : traffic())
    send_frame(sent.received ? pair.right : pair.left, sent.received ? "veth1" : "veth0", sent.frame, sent.count);
}

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sonde-nfcapd-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string trimmed(const std::string& text) {
  const auto start = text.find_first_not_of(' ');
  return start == std::string::npos ? "" : text.substr(start, text.find_last_not_of(' ') - start + 1);
}

// -N: plain numbers, of the protocol too.
Counts nfdump_counts(const std::string& folder) {
  Counts counts;
  const auto text = run("nfdump -R " + folder + " -q -N -6 -o 'fmt:%sa,%da,%sp,%dp,%pr,%pkt,%byt' 2>/dev/null");
  for (const auto& line : lines_of(text)) {
    auto cells = split(line, ',');
    if (cells.size() != 7) continue;
    for (auto& cell : cells) cell = trimmed(cell);
    auto& count = counts[cells[0] + "," + cells[1] + "," + cells[2] + "," + cells[3] + "," + cells[4]];
    count.packets += std::stoull(cells[5]);
    count.bytes += std::stoull(cells[6]);
  }
  return counts;
}

// tshark gives each field of a packet as a list over its records, IPv4 and IPv6 addresses apart.
Counts tshark_counts(const std::string& file) {
  Counts counts;
  const auto text = run("tshark -n -r " + file +
                        " -d udp.port==4739,cflow -Y 'cflow.packets' -T fields -E separator=/t -E occurrence=a"
                        " -E aggregator=, -e cflow.srcaddr -e cflow.dstaddr -e cflow.srcaddrv6 -e cflow.dstaddrv6"
                        " -e cflow.srcport -e cflow.dstport -e cflow.protocol -e cflow.packets -e cflow.octets"
                        " 2>/dev/null");
  for (const auto& line : lines_of(text)) {
    const auto cells = split(line, '\t');
    if (cells.size() != 9) continue;
    std::vector<std::vector<std::string>> lists;
    for (const auto& cell : cells) lists.push_back(cell.empty() ? std::vector<std::string>{} : split(cell, ','));
    const auto records = lists[7].size();
    // A message with both families cannot be taken apart from these lists: its sets are of one family each.
    std::size_t v4 = 0, v6 = 0;
    const bool only_v4 = lists[2].empty(), only_v6 = lists[0].empty();
    for (std::size_t i = 0; i < records; ++i) {
      const bool is_v6 = only_v6 || (!only_v4 && v4 == lists[0].size());
      const auto& from = is_v6 ? lists[2][v6] : lists[0][v4];
      const auto& to = is_v6 ? lists[3][v6] : lists[1][v4];
      ++(is_v6 ? v6 : v4);
      auto& count = counts[from + "," + to + "," + lists[4][i] + "," + lists[5][i] + "," + lists[6][i]];
      count.packets += std::stoull(lists[7][i]);
      count.bytes += std::stoull(lists[8][i]);
    }
  }
  return counts;
}

std::uint64_t packets_of(const Counts& counts) {
  std::uint64_t packets = 0;
  for (const auto& [flow, count] : counts) packets += count.packets;
  return packets;
}

const Words filters = {"--ip", "10.0.0.0/24", "--ip", "2001:db8::/32"};

Words with_filters(Words words) {
  words.insert(words.end(), filters.begin(), filters.end());
  return words;
}

std::string socket_queue(const NetworkNamespace& where) { return where.run("ss -Hlun sport = :4739"); }

// Until a collector listens, or has taken what has come: "UNCONN 0 ...".
void wait_for_collector(const NetworkNamespace& where) {
  for (int i = 0; i < 1000 && !socket_queue(where).starts_with("UNCONN 0 "); ++i) ::usleep(20'000);
}

// Until the file has all datagrams that programs in the namespace have sent.
void wait_for_datagrams(const NetworkNamespace& where, const std::string& file) {
  const auto sent = std::stoull(where.run("awk '/^Udp: [0-9]/ { print $5 }' /proc/net/snmp"));
  const auto in_file = [&] { return std::stoull(run("tcpdump -n -r " + file + " 2>/dev/null | wc -l")); };
  for (int i = 0; i < 1000 && in_file() < sent; ++i) ::usleep(20'000);
}

TEST(Ipfix, NfdumpFindsThePacketsThatWereSent) {
  const Pair pair;
  const Folder folder;
  Process collector(pair.left, {"nfcapd", "-w", folder.path(), "-b", "127.0.0.1", "-p", "4739", "-t", "3600"});
  ASSERT_TRUE(collector.wait_for_error_text("Startup nfcapd") || collector.wait_for_output_text("Startup nfcapd"))
      << collector.errors() << collector.output();
  const auto run = run_flows(pair.left, with_filters({"-i", "veth0", "-o", "ipfix", "--export", "127.0.0.1:4739"}),
                             [&] { send_traffic(pair); });
  EXPECT_EQ(run.status, 0) << run.errors;
  EXPECT_TRUE(run.balanced()) << run.errors;
  EXPECT_EQ(run.stage("output")[1], packets_of(expected()));
  wait_for_collector(pair.left);
  collector.signal(SIGTERM);
  EXPECT_EQ(collector.wait(), 0);
  EXPECT_EQ(nfdump_counts(folder.path()), expected());
}

TEST(Ipfix, TsharkFindsThePacketsThatWereSent) {
  for (const bool ipv6_only : {false, true}) {
    const Pair pair;
    const TemporaryFile file(".pcap");
    Process capture(pair.left,
                    {"tcpdump", "-i", "lo", "-U", "--immediate-mode", "-w", file.path(), "udp", "port", "4739"});
    ASSERT_TRUE(capture.wait_for_error_text("listening on")) << capture.errors();
    Process sink(pair.left, {"nc", "-u", "-l", "127.0.0.1", "4739"});  // so that nothing is refused
    wait_for_collector(pair.left);
    // One address family a run: tshark's lists of fields do not tell which record has which.
    const auto run = run_flows(pair.left,
                               {"-i", "veth0", "-o", "ipfix", "--export", "localhost:4739", "--domain", "77", "--ip",
                                ipv6_only ? "2001:db8::/32" : "10.0.0.0/24"},
                               [&] { send_traffic(pair); });
    EXPECT_EQ(run.status, 0) << run.errors;
    wait_for_datagrams(pair.left, file.path());
    capture.signal(SIGTERM);
    (void)capture.wait();
    auto sent = expected();
    std::erase_if(sent, [&](const auto& entry) { return entry.first.starts_with("2001") != ipv6_only; });
    EXPECT_EQ(tshark_counts(file.path()), sent);
    const auto tshark = "tshark -n -r " + file.path() + " -d udp.port==4739,cflow ";
    EXPECT_EQ(sonde::test::run(tshark + "-Y _ws.malformed 2>/dev/null"), "");
    EXPECT_EQ(sonde::test::run(tshark + "-Y '_ws.expert.severity >= warning' 2>/dev/null"), "") << "also sequences";
    EXPECT_EQ(sonde::test::run(tshark + "-T fields -e cflow.od_id 2>/dev/null | tr , '\\n' | sort -u"), "77\n");
  }
}

TEST(Ipfix, ACollectorThatIsNotThereIsCountedAndTold) {
  const Pair pair;
  const auto run =
      run_flows(pair.left, {"-i", "veth0", "-o", "ipfix", "--export", "127.0.0.1:4739", "--protocol", "udp"},
                [&] { send_frame(pair.left, "veth0", udp4(53, 100), 70); });
  EXPECT_EQ(run.status, 0) << run.errors;
  const auto output = run.stage("output");
  EXPECT_EQ(output[0], 70U);
  EXPECT_EQ(output[1], 0U);
  EXPECT_EQ(output[3], 70U);
  EXPECT_NE(run.errors.find("collector 127.0.0.1:4739: messages do not arrive: Connection refused"), std::string::npos)
      << run.errors;
  EXPECT_NE(run.errors.find("1 messages with 1 records of 70 packets did not arrive"), std::string::npos) << run.errors;
}

TEST(Ipfix, AnAddressWithoutRouteIsCountedAndTold) {
  const Pair pair;
  const auto run =
      run_flows(pair.left, {"-i", "veth0", "-o", "ipfix", "--export", "198.51.100.1:4739", "--protocol", "udp"},
                [&] { send_frame(pair.left, "veth0", udp4(53, 100), 7); });
  EXPECT_EQ(run.status, 0) << run.errors;
  EXPECT_EQ(run.stage("output")[3], 7U);
  EXPECT_NE(run.errors.find("Network is unreachable"), std::string::npos) << run.errors;
}

}  // namespace
}  // namespace sonde::test
