// SPDX-License-Identifier: Apache-2.0
// Wrong words, missing privileges, limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "watch_program.hpp"

namespace sonde::test {
namespace {

struct Wrong {
  Words words;
  std::string named;
};

TEST(WatchWords, WrongOnesAreTwoAndNamed) {
  const NetworkNamespace where;
  const std::vector<Wrong> table = {
      {{"-i", "nosuch0"}, "'nosuch0'"},
      {{"-i", "lo", "--set", "scan.ports"}, "scan.ports"},
      {{"-i", "lo", "--set", "scan.nosuch=1"}, "scan.nosuch"},
      {{"-i", "lo", "--set", "scan.ports=many"}, "many"},
      {{"-i", "lo", "--min-severity", "worst"}, "worst"},
      {{"-i", "lo", "--kind", "port_scan"}, "port_scan"},
      {{"-i", "lo", "--local", "10.0.0.1/8"}, "10.0.0.1/8"},
      {{"-i", "lo", "--respond", "shout"}, "shout"},
      {{"-i", "lo", "--respond-dry-run"}, "--respond-dry-run"},
      {{"-i", "any", "--respond", "block"}, "expected -i NAME"},
      {{"-i", "lo", "--ttl", "5m"}, "--ttl"},
      {{"-i", "lo", "--evidence", "/nosuch"}, "/nosuch"},
      {{"-i", "lo", "--evidence-packets", "5"}, "--evidence-packets"},
      {{"-r", "-", "--evidence", "/tmp"}, "--evidence"},
      {{"-i", "lo", "--interval", "1h"}, "--interval"},
      {{"-i", "lo", "--interval", "soon"}, "soon"},
      {{"-i", "lo", "-o", "xml"}, "xml"},
      {{"-i", "lo", "-c", "0"}, "-c '0'"},
      {{"-i", "lo", "tcp", "prot", "80"}, "prot"},
  };
  for (const auto& [words, named] : table) {
    Words all = {"watch"};
    all.insert(all.end(), words.begin(), words.end());
    const auto end = run_sonde(where, all);
    EXPECT_EQ(end.status, 2) << Json(words).dump() << end.errors;
    EXPECT_THAT(end.errors, testing::HasSubstr(named)) << Json(words).dump();
  }
}

TEST(WatchWords, MissingPrivilegesAreThree) {
  const NetworkNamespace where;
  Process process(where, {"setpriv", "--reuid", "65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
                          sonde_path, "watch", "-i", "lo"});
  EXPECT_EQ(process.wait(), 3) << process.errors();
}

TEST(WatchWords, AMissingFileIsOne) {
  const auto end = run_watch(NetworkNamespace{}, {"-r", "/nosuch.pcap"});
  EXPECT_EQ(end.status, 1) << end.errors;
  EXPECT_THAT(end.errors, testing::HasSubstr("/nosuch.pcap"));
}

TEST(WatchWords, ListOptionsTellsEveryThresholdAndWhy) {
  const auto end = run_sonde(NetworkNamespace{}, {"watch", "--list-options"});
  EXPECT_EQ(end.status, 0);
  EXPECT_THAT(end.output, testing::HasSubstr("scan.ports = 15 ports"));
  EXPECT_THAT(end.output, testing::HasSubstr("why: "));
}

TEST(WatchLimits, DurationAndCount) {
  const Pair pair;
  const auto timed = run_watch(pair.left, {"-i", "veth0", "--duration", "1s"});
  EXPECT_EQ(timed.status, 0) << timed.errors;
  EXPECT_TRUE(timed.balanced()) << timed.errors;
  EXPECT_EQ(timed.summary["events"], 0);
  Watching counted(pair.right, {"-i", "veth1", "-c", "1"});
  run_together(pair.left, {"nmap -n -Pn --disable-arp-ping -sS -T4 -p 1-100 10.9.0.2"});
  const auto end = counted.end(0);
  EXPECT_EQ(end.status, 0) << end.errors;
  EXPECT_EQ(end.started().size(), 1U);
}

}  // namespace
}  // namespace sonde::test
