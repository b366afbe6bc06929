// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/domain_addresses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "addresses.hpp"

namespace sonde::proxy {
namespace {

using nlohmann::json;

TEST(DomainAddresses, AsAFile) {
  DomainAddresses domains;
  domains.add("b.example", at("192.0.2.9", 443));
  domains.add("a.example", at("2001:db8::1", 443));
  domains.add("a.example", at("192.0.2.1", 443));
  domains.add("a.example", at("192.0.2.1", 8443));
  EXPECT_EQ(json::parse(domain_file_text(domains.snapshot(), 1'764'000'000'123'456'789)), json::parse(R"({
    "written_at": "2025-11-24T16:00:00.123456789Z",
    "domains": [
      {"domain": "a.example", "addresses": ["192.0.2.1", "2001:db8::1"], "connections": 3,
       "connections_to_further_addresses": 0},
      {"domain": "b.example", "addresses": ["192.0.2.9"], "connections": 1, "connections_to_further_addresses": 0}],
    "domains_left_out": 0})"));
}

TEST(DomainAddresses, IsBounded) {
  DomainAddresses domains(3, 2);
  for (const char* name : {"a", "b", "c"}) domains.add(name, at("192.0.2.1"));
  domains.add("a", at("192.0.2.2"));
  domains.add("a", at("192.0.2.3"));
  domains.add("a", at("192.0.2.1"));
  domains.add("d", at("192.0.2.1"));  // b has to go
  const auto snapshot = domains.snapshot();
  ASSERT_EQ(snapshot.domains.size(), 3U);
  EXPECT_EQ(snapshot.domains[0].name, "a");
  EXPECT_EQ(snapshot.domains[1].name, "c");
  EXPECT_EQ(snapshot.domains[2].name, "d");
  EXPECT_EQ(snapshot.departures, 1U);
  EXPECT_EQ(snapshot.domains[0].connections, 4U);
  EXPECT_EQ(snapshot.domains[0].left_out, 1U);
  EXPECT_EQ(snapshot.domains[0].addresses.size(), 2U);
}

}  // namespace
}  // namespace sonde::proxy
