// SPDX-License-Identifier: Apache-2.0
// As abi_test.cpp, of what the programs that count flows share with user space.
#include <gtest/gtest.h>
#include <sonde/abi/flow.h>

#include <cstddef>
#include <type_traits>

#include "layout.hpp"
#include "sensors/flows/program.hpp"
#include "sensors/packets/flows.abi.h"

namespace sonde::test {
namespace {

static_assert(std::has_unique_object_representations_v<sonde_flow_record>);
static_assert(std::has_unique_object_representations_v<sonde_flow_owners>);

Layout flow_layout() {
  using F = sonde_flow;
  return LAYOUT(sonde_flow, MEMBER(F, key), MEMBER(F, state), MEMBER(F, packets), MEMBER(F, bytes), MEMBER(F, first_ns),
                MEMBER(F, last_ns), MEMBER(F, sequence_end), MEMBER(F, handshake_us), MEMBER(F, retransmissions),
                MEMBER(F, tcp_flags), MEMBER(F, hop_limit), MEMBER(F, vlan), MEMBER(F, flags));
}

std::vector<Layout> table_layouts() {
  using K = sonde_flow_key;
  using B = sonde_flow_bucket;
  using C = sonde_flows_config;
  using N = sonde_flows_counters;
  return {LAYOUT(sonde_flow_key, MEMBER(K, address), MEMBER(K, port), MEMBER(K, group), MEMBER(K, protocol),
                 MEMBER(K, reserved)),
          LAYOUT(sonde_flow_bucket, MEMBER(B, tags), MEMBER(B, displaced), MEMBER(B, reserved)),
          LAYOUT(sonde_flows_config, MEMBER(C, seed), MEMBER(C, buckets), MEMBER(C, owners), MEMBER(C, groups),
                 MEMBER(C, show_arp), MEMBER(C, show_dns), MEMBER(C, light_path)),
          LAYOUT(sonde_flows_counters, MEMBER(N, taken), MEMBER(N, filtered), MEMBER(N, no_key), MEMBER(N, counted),
                 MEMBER(N, spilled), MEMBER(N, lost), MEMBER(N, reported), MEMBER(N, unreported), MEMBER(N, tick),
                 MEMBER(N, tick_ns))};
}

std::vector<Layout> owner_layouts() {
  using O = sonde_flow_owner;
  return {LAYOUT(sonde_flow_owner, MEMBER(O, owner), MEMBER(O, version), MEMBER(O, reserved)),
          LAYOUT(sonde_flow_owners, MEMBER(sonde_flow_owners, side))};
}

TEST(FlowAbi, LayoutsAreThoseOfTheObjects) {
  for (const bool owners : {false, true}) {
    compare(flows::flow_object_bytes(owners), {flow_layout()});
    compare(flows::flow_object_bytes(owners), table_layouts());
  }
  compare(flows::flow_object_bytes(true), owner_layouts());
}

// A look-up compares the first line and no other.
TEST(FlowAbi, AFlowIsTwoCacheLines) {
  EXPECT_EQ(sizeof(sonde_flow), 128U);
  EXPECT_EQ(offsetof(sonde_flow, bytes), 64U);
  EXPECT_EQ(offsetof(sonde_flow, flags), offsetof(sonde_flow, vlan) + 2) << "bits are set in the word of both";
  EXPECT_EQ(offsetof(sonde_flow, vlan) % 4, 0U);
  EXPECT_EQ(offsetof(sonde_flow, tcp_flags) % 4, 0U);
}

}  // namespace
}  // namespace sonde::test
