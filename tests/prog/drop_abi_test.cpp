// SPDX-License-Identifier: Apache-2.0
// As abi_test.cpp, of what the drops programs share with user space.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "layout.hpp"
#include "sensors/drops/drops.abi.h"

extern "C" {
extern const std::uint8_t sonde_drops_bpf_object[];
extern const std::uint8_t sonde_drops_bpf_object_end[];
extern const std::uint8_t drop_layouts_object[];
extern const std::uint8_t drop_layouts_object_end[];
}

namespace sonde::test {
namespace {

// No padding: a zeroed record leaks nothing, and equal keys have equal bytes.
static_assert(std::has_unique_object_representations_v<sonde_drop_event>);
static_assert(std::has_unique_object_representations_v<sonde_lost_drop>);
static_assert(std::has_unique_object_representations_v<sonde_tuple>);
static_assert(std::has_unique_object_representations_v<sonde_tuple_answer>);

std::vector<Layout> shared_layouts() {
  using S = sonde_socket;
  using T = sonde_task;
  using O = sonde_socket_owner;
  return {LAYOUT(sonde_socket, MEMBER(S, local_address), MEMBER(S, remote_address), MEMBER(S, local_port),
                 MEMBER(S, remote_port), MEMBER(S, protocol), MEMBER(S, state), MEMBER(S, family),
                 MEMBER(S, network_namespace), MEMBER(S, reserved), MEMBER(S, cookie)),
          LAYOUT(sonde_task, MEMBER(T, start_time_ns), MEMBER(T, cgroup_id), MEMBER(T, pid), MEMBER(T, tid),
                 MEMBER(T, uid), MEMBER(T, evidence), MEMBER(T, comm)),
          LAYOUT(sonde_socket_owner, MEMBER(O, opener), MEMBER(O, user), MEMBER(O, method), MEMBER(O, reason),
                 MEMBER(O, inherited), MEMBER(O, reserved))};
}

std::vector<Layout> record_layouts() {
  using E = sonde_drop_event;
  using L = sonde_lost_drop;
  return {LAYOUT(sonde_drop_event, MEMBER(E, header), MEMBER(E, location), MEMBER(E, reason),
                 MEMBER(E, network_namespace), MEMBER(E, packet_size), MEMBER(E, captured_size), MEMBER(E, segments),
                 MEMBER(E, tag_tpid), MEMBER(E, tag_tci), MEMBER(E, start), MEMBER(E, direction), MEMBER(E, forwarded),
                 MEMBER(E, copied), MEMBER(E, interface), MEMBER(E, socket), MEMBER(E, owner), MEMBER(E, bytes)),
          LAYOUT(sonde_lost_drop, MEMBER(L, location), MEMBER(L, reason), MEMBER(L, reserved))};
}

std::vector<Layout> tuple_layouts() {
  using T = sonde_tuple;
  using A = sonde_tuple_answer;
  return {LAYOUT(sonde_tuple, MEMBER(T, remote_address), MEMBER(T, local_address), MEMBER(T, remote_port),
                 MEMBER(T, local_port), MEMBER(T, ipv4), MEMBER(T, protocol), MEMBER(T, exact), MEMBER(T, reserved)),
          LAYOUT(sonde_tuple_answer, MEMBER(A, found), MEMBER(A, reserved), MEMBER(A, owner))};
}

TEST(DropAbi, RecordsAndMaps) {
  const Elf elf(sonde_drops_bpf_object, sonde_drops_bpf_object_end);
  compare(elf, shared_layouts());
  compare(elf, record_layouts());
}

TEST(DropAbi, Tuples) { compare({drop_layouts_object, drop_layouts_object_end}, tuple_layouts()); }

TEST(DropAbi, TheRecordStartsWithTheHeader) { EXPECT_EQ(offsetof(sonde_drop_event, header), 0U); }

}  // namespace
}  // namespace sonde::test
