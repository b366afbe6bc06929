// SPDX-License-Identifier: Apache-2.0
// The structs that kernel and user space share have one layout: BTF of the BPF object against this compiler's.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sonde/abi/owner.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "layout.hpp"
#include "sensors/packets/packets.abi.h"
#include "sensors/packets/program.hpp"

namespace sonde::packets {
namespace {

using test::compare;
using test::Layout;

Layout packet_event() {
  using E = sonde_packet_event;
  Layout layout =
      LAYOUT(sonde_packet_event, MEMBER(E, header), MEMBER(E, source_address), MEMBER(E, destination_address),
             MEMBER(E, source_port), MEMBER(E, destination_port), MEMBER(E, packet_size), MEMBER(E, captured_size),
             MEMBER(E, payload_size), MEMBER(E, payload_offset), MEMBER(E, network_offset), MEMBER(E, tcp_sequence),
             MEMBER(E, tcp_acknowledgment), MEMBER(E, tcp_window), MEMBER(E, ether_type), MEMBER(E, vlan_outer),
             MEMBER(E, vlan_inner), MEMBER(E, segments), MEMBER(E, fragment_offset), MEMBER(E, protocol),
             MEMBER(E, tcp_flags), MEMBER(E, direction), MEMBER(E, flags), MEMBER(E, status), MEMBER(E, hop_limit),
             MEMBER(E, icmp_type), MEMBER(E, icmp_code));
  return layout;
}

std::vector<Layout> filter_layouts() {
  using F = sonde_filter;
  using L = sonde_network_list;
  return {LAYOUT(sonde_network, MEMBER(sonde_network, network), MEMBER(sonde_network, mask)),
          LAYOUT(sonde_network_list, MEMBER(L, count), MEMBER(L, reserved), MEMBER(L, networks)),
          LAYOUT(sonde_port_set, MEMBER(sonde_port_set, words)),
          LAYOUT(sonde_filter, MEMBER(F, tests), MEMBER(F, min_size), MEMBER(F, max_size), MEMBER(F, protocol),
                 MEMBER(F, direction), MEMBER(F, reserved), MEMBER(F, source), MEMBER(F, destination),
                 MEMBER(F, either), MEMBER(F, source_ports), MEMBER(F, destination_ports), MEMBER(F, either_ports))};
}

std::vector<Layout> other_layouts() {
  using C = sonde_packets_config;
  using N = sonde_counters;
  using K = sonde_total_key;
  using P = sonde_perf_packet;
  using H = sonde_event_header;
  return {
      LAYOUT(sonde_event_header, MEMBER(H, ts_ns), MEMBER(H, len), MEMBER(H, type), MEMBER(H, ifindex)),
      LAYOUT(sonde_packets_config, MEMBER(C, transport), MEMBER(C, ring_mask), MEMBER(C, wakeup_bytes),
             MEMBER(C, snaplen), MEMBER(C, record_classes), MEMBER(C, emit_events), MEMBER(C, capture_bytes),
             MEMBER(C, count_totals), MEMBER(C, has_expression), MEMBER(C, has_fields), MEMBER(C, pass_verdict),
             MEMBER(C, count_sizes), MEMBER(C, reserved)),
      LAYOUT(sonde_counters, MEMBER(N, taken), MEMBER(N, filtered), MEMBER(N, counted_only), MEMBER(N, emitted),
             MEMBER(N, lost), MEMBER(N, uncounted), MEMBER(N, unowned)),
      LAYOUT(sonde_total_key, MEMBER(K, ifindex), MEMBER(K, direction), MEMBER(K, protocol_class), MEMBER(K, reserved)),
      LAYOUT(sonde_total, MEMBER(sonde_total, packets), MEMBER(sonde_total, bytes)),
      LAYOUT(sonde_perf_packet, MEMBER(P, event), MEMBER(P, tag_tpid), MEMBER(P, tag_tci), MEMBER(P, reserved))};
}

std::vector<Layout> owner_layouts() {
  using T = sonde_task;
  using O = sonde_socket_owner;
  return {LAYOUT(sonde_task, MEMBER(T, start_time_ns), MEMBER(T, cgroup_id), MEMBER(T, pid), MEMBER(T, tid),
                 MEMBER(T, uid), MEMBER(T, evidence), MEMBER(T, comm)),
          LAYOUT(sonde_socket_owner, MEMBER(O, opener), MEMBER(O, user), MEMBER(O, method), MEMBER(O, reason),
                 MEMBER(O, inherited), MEMBER(O, reserved))};
}

using Object = std::unique_ptr<bpf_object, decltype(&bpf_object__close)>;

Object open_embedded(bool with_owners = false) {
  const auto elf = object_bytes(with_owners);
  return {bpf_object__open_mem(elf.data(), elf.size(), nullptr), &bpf_object__close};
}

std::vector<Layout> size_layouts() {  // of the object without owners
  using K = sonde_size_key;
  using S = sonde_sizes;
  return {LAYOUT(sonde_size_key, MEMBER(K, ifindex), MEMBER(K, direction), MEMBER(K, reserved)),
          LAYOUT(sonde_sizes, MEMBER(S, frames), MEMBER(S, wire_packets), MEMBER(S, wire_bytes), MEMBER(S, classes))};
}

TEST(Abi, LayoutsAreThoseOfTheObject) {
  const auto object = open_embedded();
  ASSERT_NE(object, nullptr);
  const auto* types = bpf_object__btf(object.get());
  ASSERT_NE(types, nullptr);
  compare(types, packet_event());
  for (const auto& layout : filter_layouts()) compare(types, layout);
  for (const auto& layout : other_layouts()) compare(types, layout);
  for (const auto& layout : size_layouts()) compare(types, layout);
}

TEST(Abi, LayoutsAreThoseOfTheObjectWithOwners) {
  const auto object = open_embedded(true);
  ASSERT_NE(object, nullptr);
  const auto* types = bpf_object__btf(object.get());
  ASSERT_NE(types, nullptr);
  compare(types, packet_event());
  for (const auto& layout : other_layouts()) compare(types, layout);
  for (const auto& layout : owner_layouts()) compare(types, layout);
}

TEST(Abi, EveryRecordStartsWithTheHeader) {
  EXPECT_EQ(offsetof(sonde_event_header, ts_ns), 0U);
  EXPECT_EQ(offsetof(sonde_packet_event, header), 0U);
  EXPECT_EQ(offsetof(sonde_perf_packet, event), 0U);
  EXPECT_EQ(sizeof(sonde_socket_owner) % 8, 0U);
  EXPECT_EQ(sizeof(sonde_packet_event) % 8, 0U) << "packet bytes follow at an aligned place";
}

}  // namespace
}  // namespace sonde::packets
