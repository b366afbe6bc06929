// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "export/events/drop.hpp"
#include "harness/command.hpp"
#include "harness/packet_builder.hpp"
#include "harness/process.hpp"
#include "sensors/drops/decode.hpp"

namespace sonde {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

Drop drop_of(const test::Bytes& packet, const std::string& reason) {
  sonde_drop_event raw{};
  raw.header = {0, sizeof(raw), SONDE_EVENT_DROP, 7};
  raw.reason = 3;
  raw.network_namespace = 4711;
  raw.packet_size = static_cast<std::uint32_t>(packet.size());
  raw.captured_size = static_cast<std::uint16_t>(packet.size());
  std::ranges::copy(packet, raw.bytes);
  std::strcpy(raw.interface, "eth0");
  auto drop = *drops::decode_packet({reinterpret_cast<const std::uint8_t*>(&raw), sizeof(raw)});
  drop.wall_ns = 1'700'000'000'123'456'789;
  drop.reason = reason;
  drop.function = "udp_rcv";
  drop.owner.owner.reason = SONDE_REASON_NO_SOCKET;
  return drop;
}

Drop udp_drop(const std::string& reason = "NO_SOCKET") {
  return drop_of(test::ethernet({}, test::ipv4({.protocol = 17}, test::udp({}, test::counting(5)))), reason);
}

void own(Drop& drop, std::uint32_t pid) {
  auto process = std::make_shared<Process>();
  process->pid = pid;
  process->comm = "nginx";
  drop.owner.owner = {.method = OwnerMethod::sk_storage,
                      .confidence = OwnerConfidence::high,
                      .reason = SONDE_REASON_NONE,
                      .evidence = SONDE_OWNER_SENT,
                      .pid = pid,
                      .tid = pid,
                      .uid = 0,
                      .comm = "nginx",
                      .process = process};
}

std::uint32_t own_namespace() {
  struct ::stat status {};
  ::stat("/proc/self/ns/net", &status);
  return static_cast<std::uint32_t>(status.st_ino);
}

TEST(DropLine, SaysReasonPlacePacketAndOwner) {
  const auto line = exporter::drop_line(udp_drop(), false);
  EXPECT_EQ(
      line.substr(8),
      ".123456789 NO_SOCKET udp_rcv eth0@4711 In  IP 10.0.0.1.40000 > 10.0.0.2.53: UDP, length 5, size 47, unknown "
      "(no socket)");
}

TEST(DropLine, LeavesOutTheOwnNamespaceAndAnUnknownFunction) {
  auto drop = udp_drop();
  drop.network_namespace = own_namespace();
  drop.function.clear();
  own(drop, 4711);
  const auto line = exporter::drop_line(drop, false);
  EXPECT_THAT(line, HasSubstr(" NO_SOCKET eth0 In  IP "));
  EXPECT_THAT(line, HasSubstr(", nginx[4711]"));
}

TEST(DropLine, UnknownInterface) {
  auto drop = udp_drop();
  drop.network_namespace = 0;
  drop.interface.clear();
  EXPECT_THAT(exporter::drop_line(drop, false), HasSubstr(" if7 In "));
  drop.ifindex = 0;
  EXPECT_THAT(exporter::drop_line(drop, false), HasSubstr(" - In "));
}

TEST(DropLine, ColoursTheReason) {
  EXPECT_THAT(exporter::drop_line(udp_drop(), true), HasSubstr("\033[1;31mNO_SOCKET\033[0m udp_rcv"));
}

TEST(DropJson, HasThePacketAndTheOwner) {
  auto drop = udp_drop();
  own(drop, 4711);
  const auto object = Json::parse(exporter::drop_json(drop));
  EXPECT_EQ(object["type"], "drop");
  EXPECT_EQ(object["time"], "2023-11-14T22:13:20.123456789Z");
  EXPECT_EQ(object["reason"], "NO_SOCKET");
  EXPECT_EQ(object["reason_number"], 3);
  EXPECT_EQ(object["function"], "udp_rcv");
  EXPECT_EQ(object["interface"], "eth0");
  EXPECT_EQ(object["network_namespace"], 4711);
  EXPECT_EQ(object["direction"], "in");
  EXPECT_EQ(object["protocol"], "udp");
  EXPECT_EQ(object["source"], "10.0.0.1");
  EXPECT_EQ(object["destination_port"], 53);
  EXPECT_EQ(object["owner"]["pid"], 4711);
  EXPECT_EQ(object["owner"]["method"], "sk_storage");
}

TEST(DropJson, LeavesOutWhatIsNotKnown) {
  auto drop = udp_drop();
  drop.function.clear();
  drop.interface.clear();
  drop.network_namespace = 0;
  const auto object = Json::parse(exporter::drop_json(drop));
  EXPECT_FALSE(object.contains("function"));
  EXPECT_FALSE(object.contains("interface"));
  EXPECT_FALSE(object.contains("network_namespace"));
  EXPECT_EQ(object["owner"]["method"], "none");
}

std::string summary_of(const std::vector<Drop>& drops, bool json, const std::function<HostCounters()>& host) {
  const test::TemporaryFile file(".txt");
  {
    auto output = exporter::open_output(file.path());
    auto sink = exporter::make_drop_summary(std::move(*output), json, host);
    EXPECT_TRUE(sink->write(drops));
    pipeline::EventTotals totals;
    totals.events = drops.size();
    EXPECT_TRUE(sink->finish(totals));
    EXPECT_EQ(sink->written(), drops.size());
  }
  return test::read_file(file.path());
}

std::vector<Drop> some_drops() {
  std::vector<Drop> drops = {udp_drop("NO_SOCKET"), udp_drop("QDISC_DROP"), udp_drop("QDISC_DROP")};
  own(drops[1], 7);
  own(drops[2], 7);
  return drops;
}

HostCounters some_counters() { return {{"softnet", "cpu1", "dropped", 12}}; }

TEST(DropSummary, MostFrequentFirst) {
  const auto text = summary_of(some_drops(), false, some_counters);
  EXPECT_EQ(text,
            "     packets          bytes  reason and function\n"
            "           2             94  QDISC_DROP               udp_rcv\n"
            "           1             47  NO_SOCKET                udp_rcv\n"
            "\n"
            "     packets          bytes  owner\n"
            "           2             94  nginx[7]\n"
            "           1             47  unknown (no socket)\n"
            "\n"
            "the kernel's own counters meanwhile (softnet: of the host; the others: of sonde's network namespace)\n"
            "          12  softnet cpu1 dropped\n");
}

TEST(DropSummary, NoCounterHasGrown) {
  EXPECT_THAT(summary_of({}, false, [] { return HostCounters{}; }),
              HasSubstr("of sonde's network namespace)\n  no loss in softnet"));
  EXPECT_THAT(summary_of({}, false, {}), testing::Not(HasSubstr("counters")));
}

TEST(DropSummary, Json) {
  const auto object = Json::parse(summary_of(some_drops(), true, some_counters));
  EXPECT_EQ(object["type"], "summary");
  EXPECT_EQ(object["events"], 3);
  EXPECT_TRUE(object.contains("loss"));
  EXPECT_EQ(object["reasons"][0]["reason"], "QDISC_DROP");
  EXPECT_EQ(object["reasons"][0]["packets"], 2);
  EXPECT_EQ(object["owners"][0]["owner"]["pid"], 7);
  EXPECT_EQ(object["owners"][0]["bytes"], 94);
  EXPECT_EQ(object["host_counters"][0]["count"], 12);
}

}  // namespace
}  // namespace sonde
