// SPDX-License-Identifier: Apache-2.0
// As abi_test.cpp, of what the owner, retransmission and connection programs share with user space.
#include <gtest/gtest.h>
#include <sonde/abi/event.h>
#include <sonde/abi/owner.h>
#include <sonde/abi/socket.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "layout.hpp"
#include "sensors/connections/connections.abi.h"
#include "sensors/owners/owners.abi.h"
#include "sensors/retransmissions/drop_history.abi.h"
#include "sensors/retransmissions/retransmissions.abi.h"

extern "C" {
extern const std::uint8_t sonde_owners_bpf_object[];
extern const std::uint8_t sonde_owners_bpf_object_end[];
extern const std::uint8_t sonde_retransmissions_bpf_object[];
extern const std::uint8_t sonde_retransmissions_bpf_object_end[];
extern const std::uint8_t sonde_connections_bpf_object[];
extern const std::uint8_t sonde_connections_bpf_object_end[];
extern const std::uint8_t event_layouts_object[];
extern const std::uint8_t event_layouts_object_end[];
}

namespace sonde::test {
namespace {

// No padding: a zeroed record leaks nothing, and equal keys have equal bytes.
static_assert(std::has_unique_object_representations_v<sonde_event_header>);
static_assert(std::has_unique_object_representations_v<sonde_socket>);
static_assert(std::has_unique_object_representations_v<sonde_task>);
static_assert(std::has_unique_object_representations_v<sonde_owner>);
static_assert(std::has_unique_object_representations_v<sonde_socket_owner>);
static_assert(std::has_unique_object_representations_v<sonde_process_key>);
static_assert(std::has_unique_object_representations_v<sonde_owner_counters>);
static_assert(std::has_unique_object_representations_v<sonde_local_drop>);
static_assert(std::has_unique_object_representations_v<sonde_retransmission_event>);
static_assert(std::has_unique_object_representations_v<sonde_retransmitter>);
static_assert(std::has_unique_object_representations_v<sonde_drop_flow>);
static_assert(std::has_unique_object_representations_v<sonde_drop_slot>);
static_assert(std::has_unique_object_representations_v<sonde_drop_slots>);
static_assert(std::has_unique_object_representations_v<sonde_tcp_counters>);
static_assert(std::has_unique_object_representations_v<sonde_connection_record>);
static_assert(std::has_unique_object_representations_v<sonde_connection_event>);
static_assert(std::has_unique_object_representations_v<sonde_open_socket>);

std::vector<Layout> owner_layouts() {
  using T = sonde_task;
  using O = sonde_owner;
  using K = sonde_process_key;
  return {LAYOUT(sonde_task, MEMBER(T, start_time_ns), MEMBER(T, cgroup_id), MEMBER(T, pid), MEMBER(T, tid),
                 MEMBER(T, uid), MEMBER(T, evidence), MEMBER(T, comm)),
          LAYOUT(sonde_owner, MEMBER(O, opener), MEMBER(O, user), MEMBER(O, version), MEMBER(O, inherited)),
          LAYOUT(sonde_process_key, MEMBER(K, start_time_ns), MEMBER(K, pid), MEMBER(K, reserved))};
}

std::vector<Layout> history_layouts() {
  using R = sonde_retransmitter;
  using L = sonde_local_drop;
  using F = sonde_drop_flow;
  using S = sonde_drop_slot;
  using A = sonde_drop_slots;
  return {LAYOUT(sonde_retransmitter, MEMBER(R, total), MEMBER(R, duplicates), MEMBER(R, undone),
                 MEMBER(R, episode_total), MEMBER(R, undo_armed), MEMBER(R, reserved)),
          LAYOUT(sonde_local_drop, MEMBER(L, time_ns), MEMBER(L, location), MEMBER(L, reason), MEMBER(L, ifindex),
                 MEMBER(L, network_namespace), MEMBER(L, reserved), MEMBER(L, device)),
          LAYOUT(sonde_drop_flow, MEMBER(F, source), MEMBER(F, destination), MEMBER(F, source_port),
                 MEMBER(F, destination_port)),
          LAYOUT(sonde_drop_slot, MEMBER(S, drop), MEMBER(S, again_ns), MEMBER(S, sequence), MEMBER(S, end_sequence),
                 MEMBER(S, sender_namespace), MEMBER(S, reserved)),
          LAYOUT(sonde_drop_slots, MEMBER(A, next), MEMBER(A, reserved), MEMBER(A, slots))};
}

std::vector<Layout> connection_layouts() {
  using R = sonde_connection_record;
  return {LAYOUT(sonde_connection_record, MEMBER(R, syn_ns), MEMBER(R, established_ns),
                 MEMBER(R, data_segments_at_close), MEMBER(R, direction), MEMBER(R, flags),
                 MEMBER(R, closed_by_process), MEMBER(R, reserved))};
}

std::vector<Layout> owner_counter_layouts() {
  using C = sonde_owner_counters;
  return {
      LAYOUT(sonde_owner_counters, MEMBER(C, recorded), MEMBER(C, unrecorded), MEMBER(C, removed), MEMBER(C, added))};
}

std::vector<Layout> shared_layouts() {
  using H = sonde_event_header;
  using S = sonde_socket;
  using O = sonde_socket_owner;
  return {LAYOUT(sonde_event_header, MEMBER(H, ts_ns), MEMBER(H, len), MEMBER(H, type), MEMBER(H, ifindex)),
          LAYOUT(sonde_socket, MEMBER(S, local_address), MEMBER(S, remote_address), MEMBER(S, local_port),
                 MEMBER(S, remote_port), MEMBER(S, protocol), MEMBER(S, state), MEMBER(S, family),
                 MEMBER(S, network_namespace), MEMBER(S, reserved), MEMBER(S, cookie)),
          LAYOUT(sonde_socket_owner, MEMBER(O, opener), MEMBER(O, user), MEMBER(O, method), MEMBER(O, reason),
                 MEMBER(O, inherited), MEMBER(O, reserved))};
}

std::vector<Layout> retransmission_layouts() {
  using E = sonde_retransmission_event;
  return {LAYOUT(sonde_retransmission_event, MEMBER(E, header), MEMBER(E, socket), MEMBER(E, owner), MEMBER(E, drop),
                 MEMBER(E, jiffies), MEMBER(E, sequence), MEMBER(E, end_sequence), MEMBER(E, segments),
                 MEMBER(E, unreported), MEMBER(E, error), MEMBER(E, smoothed_rtt_us), MEMBER(E, rto_jiffies),
                 MEMBER(E, congestion_window), MEMBER(E, bytes_in_flight), MEMBER(E, socket_total), MEMBER(E, spurious),
                 MEMBER(E, undo_marker), MEMBER(E, source), MEMBER(E, evidence), MEMBER(E, congestion_state),
                 MEMBER(E, timeouts), MEMBER(E, pending_timer), MEMBER(E, tcp_flags), MEMBER(E, scoreboard),
                 MEMBER(E, reserved))};
}

std::vector<Layout> connection_event_layouts() {
  using T = sonde_tcp_counters;
  using E = sonde_connection_event;
  using S = sonde_open_socket;
  return {LAYOUT(sonde_tcp_counters, MEMBER(T, bytes_acked), MEMBER(T, bytes_received), MEMBER(T, bytes_sent),
                 MEMBER(T, bytes_retransmitted), MEMBER(T, segments_sent), MEMBER(T, segments_received),
                 MEMBER(T, retransmissions), MEMBER(T, smoothed_rtt_us), MEMBER(T, in_flight), MEMBER(T, reserved)),
          LAYOUT(sonde_connection_event, MEMBER(E, header), MEMBER(E, socket), MEMBER(E, owner), MEMBER(E, counters),
                 MEMBER(E, syn_ns), MEMBER(E, established_ns), MEMBER(E, error), MEMBER(E, kind), MEMBER(E, direction),
                 MEMBER(E, flags), MEMBER(E, reserved)),
          LAYOUT(sonde_open_socket, MEMBER(S, socket), MEMBER(S, owner), MEMBER(S, counters), MEMBER(S, kind),
                 MEMBER(S, flags), MEMBER(S, reserved))};
}

TEST(EventAbi, Owners) {
  const Elf elf(sonde_owners_bpf_object, sonde_owners_bpf_object_end);
  compare(elf, owner_layouts());
  compare(elf, owner_counter_layouts());
}

TEST(EventAbi, MapsOfRetransmissions) {
  const Elf elf(sonde_retransmissions_bpf_object, sonde_retransmissions_bpf_object_end);
  compare(elf, owner_layouts());
  compare(elf, history_layouts());
}

TEST(EventAbi, MapsOfConnections) {
  const Elf elf(sonde_connections_bpf_object, sonde_connections_bpf_object_end);
  compare(elf, owner_layouts());
  compare(elf, connection_layouts());
}

TEST(EventAbi, Records) {
  const Elf elf(event_layouts_object, event_layouts_object_end);
  compare(elf, shared_layouts());
  compare(elf, retransmission_layouts());
  compare(elf, connection_event_layouts());
}

TEST(EventAbi, EveryRecordStartsWithTheHeader) {
  EXPECT_EQ(offsetof(sonde_retransmission_event, header), 0U);
  EXPECT_EQ(offsetof(sonde_connection_event, header), 0U);
}

TEST(EventAbi, AnElementOfTheSocketsStorageIsSmall) { EXPECT_LE(sizeof(sonde_owner), 120U); }

}  // namespace
}  // namespace sonde::test
