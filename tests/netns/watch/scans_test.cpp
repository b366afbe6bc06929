// SPDX-License-Identifier: Apache-2.0
// Every scan type of nmap, inbound and outbound, live and from a file that tcpdump wrote: one event a scan, with the
// right method and source. SONDE_LONG=1 runs every type at T2 to T5; otherwise each type has one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "watch_program.hpp"

namespace sonde::test {
namespace {

struct Scan {
  std::string name;
  std::string options;  ///< of nmap, without source and target
  std::string kind = "port-scan";
  std::string method;
  std::string target = "";  ///< of nmap; empty: an address of its own
  bool has_decoys = false;
};

bool is_long() { return std::getenv("SONDE_LONG") != nullptr; }

// At T2 nmap waits 0.4 s between probes.
std::string ports_at(int timing) { return timing == 2 ? " -p 1-40" : " -p 1-200"; }

std::vector<Scan> all_scans() {
  struct Type {
    const char* option;
    const char* method;
    int usual_timing;
  };
  static constexpr Type types[] = {{"-sS", "SYN", 4},  {"-sT", "connect", 3}, {"-sF", "FIN", 5},    {"-sN", "NULL", 4},
                                   {"-sX", "Xmas", 3}, {"-sA", "ACK", 4},     {"-sM", "Maimon", 5}, {"-sU", "UDP", 4}};
  std::vector<Scan> scans;
  for (const auto& type : types)
    for (int timing = 2; timing <= 5; ++timing)
      if (is_long() || timing == type.usual_timing)
        scans.push_back({std::string(type.option) + " -T" + std::to_string(timing),
                         std::string(type.option) + " -T" + std::to_string(timing) + ports_at(timing), "port-scan",
                         type.method});
  scans.push_back({"-sS -T2", "-sS -T2 -p 1-40", "port-scan", "SYN"});
  scans.push_back({"decoys", "-sS -T4 -p 1-200 -D 10.9.1.1,10.9.1.2,ME", "port-scan", "SYN", "", true});
  scans.push_back({"sweep of a port", "-sS -T4 -p 22", "host-scan", "SYN", "10.77.1.0/24"});
  return scans;
}

std::string source_of(std::size_t scan) { return "10.9.0." + std::to_string(20 + scan); }
std::string target_of(std::size_t scan) { return "10.9.0." + std::to_string(120 + scan); }

std::string command_of(const Scan& scan, std::size_t number) {
  const bool connects = scan.options.starts_with("-sT");  // by the kernel, which takes the source of the route
  const std::string target = scan.target.empty() ? target_of(number) : scan.target;
  const std::string found = scan.options.starts_with("-sn") ? " " : " -Pn ";
  return "nmap -n --disable-arp-ping --send-ip " + (connects ? "" : "-e veth0 -S " + source_of(number) + " ") +
         scan.options + found + target;
}

/// `left` scans `right`: each scan has a source and a target of its own.
class Scans : public testing::Test {
 protected:
  Scans() {
    std::string here, there;
    for (std::size_t i = 0; i < scans.size(); ++i) {
      here += "ip address add " + source_of(i) + "/24 dev veth0\n";
      here += "ip route add " + target_of(i) + " dev veth0 src " + source_of(i) + "\n";
      there += "ip address add " + target_of(i) + "/24 dev veth1\n";
    }
    // Probes of the networks arrive, and nobody answers.
    here += "ip route add 10.77.0.0/16 via 10.9.0.2\n";
    // Linux answers closed UDP ports once a second; other systems do at any rate.
    there += "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit\n";
    pair.left.run(here);
    pair.right.run(there);
  }

  void scan() {
    std::vector<std::string> commands;
    for (std::size_t i = 0; i < scans.size(); ++i) commands.push_back(command_of(scans[i], i));
    run_together(pair.left, commands);
  }

  static std::vector<Json> scans_of(const Watched& watched) {
    auto found = watched.started("port-scan");
    for (auto& event : watched.started("host-scan")) found.push_back(event);
    return found;
  }

  // Of one scan: exactly one event, with all that there is to know.
  void check(const Watched& watched, std::size_t number, bool outbound) const {
    const auto& scan = scans[number];
    std::vector<Json> found;
    for (const auto& event : scans_of(watched)) {
      const auto who = event["who"].dump(), whom = event["whom"].dump();
      const bool to_it = scan.target.empty() && whom.find('"' + target_of(number)) != std::string::npos;
      if (to_it || who.find('"' + source_of(number) + '"') != std::string::npos) found.push_back(event);
    }
    // Where the decoys go out they come from addresses that are not this host's.
    if (outbound && scan.has_decoys) std::erase_if(found, [](const Json& event) { return event["outbound"] == false; });
    ASSERT_EQ(found.size(), 1U) << scan.name << "\n" << Json(found).dump(1);
    const auto& event = found.front();
    EXPECT_EQ(event["kind"], scan.kind) << scan.name;
    EXPECT_EQ(event.value("method", ""), scan.method) << scan.name;
    EXPECT_EQ(event["outbound"], outbound) << scan.name;
    EXPECT_THAT(event["who"].dump(), testing::HasSubstr(source_of(number))) << scan.name;
    if (!scan.has_decoys) {
      EXPECT_EQ(event["sources"], 1) << scan.name;
    }
  }

  void check_all(const Watched& watched, bool outbound) const {
    EXPECT_EQ(watched.status, 0) << watched.errors;
    EXPECT_TRUE(watched.balanced()) << watched.errors;
    EXPECT_EQ(watched.summary["loss"]["lost"], 0);
    for (std::size_t i = 0; i < scans.size(); ++i) check(watched, i, outbound);
    std::size_t others = 0;
    for (const auto& event : scans_of(watched)) others += event["outbound"] != outbound ? 1 : 0;
    EXPECT_LE(others, outbound ? 1U : 0U);
    EXPECT_EQ(scans_of(watched).size() - others, scans.size());
    // Where the processes are known, that all connects of /usr/bin/nmap fail is an event, whatever they are for.
    EXPECT_LE(watched.started("connect-failures").size(), outbound ? 1U : 0U);
    EXPECT_EQ(watched.started().size(), scans_of(watched).size() + watched.started("connect-failures").size());
  }

  const std::vector<Scan> scans = all_scans();
  const Pair pair;
};

TEST_F(Scans, AreOneEventEachWhoeverLooks) {
  const TemporaryFile file(".pcap");
  Watching inbound(pair.right, {"-i", "veth1"});
  Watching outbound(pair.left, {"-i", "veth0"});
  Process tcpdump(pair.right, {"tcpdump", "-i", "veth1", "-U", "-B", "65536", "-w", file.path()});
  ASSERT_TRUE(tcpdump.wait_for_error_text("listening on"));
  scan();
  std::this_thread::sleep_for(std::chrono::seconds{4});  // what was not answered has failed after 2 s
  tcpdump.signal(SIGINT);
  EXPECT_EQ(tcpdump.wait(), 0);
  const auto seen_inbound = inbound.end();
  {
    SCOPED_TRACE("inbound");
    check_all(seen_inbound, false);
  }
  {
    SCOPED_TRACE("outbound");
    check_all(outbound.end(), true);
  }
  const Words replay = {"-r", file.path(), "--local", "10.9.0.128/25", "--local", "10.77.0.0/16"};
  const auto once = run_watch(pair.left, replay);
  SCOPED_TRACE("from the file");
  check_all(once, false);
  EXPECT_EQ(once.output, run_watch(pair.left, replay).output);
}

}  // namespace
}  // namespace sonde::test
