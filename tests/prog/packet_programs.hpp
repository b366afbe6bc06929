// SPDX-License-Identifier: Apache-2.0
// sonde's own packets programs, run by BPF_PROG_TEST_RUN.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/collect.hpp"
#include "harness/packet_builder.hpp"
#include "sensors/packets/program.hpp"
#include "sensors/packets/readers.hpp"
#include "sonde/filter.hpp"
#include "sonde/packet.hpp"

namespace sonde::test {

struct RunResult {
  int error = 0;  ///< errno of the call: the kernel refuses to make such a packet
  std::uint32_t verdict = 0;
  Bytes packet;  ///< as it comes out
  std::vector<SeenPacket> events;
};

/// A loaded object and its reader. Construction throws std::runtime_error.
class PacketPrograms {
 public:
  explicit PacketPrograms(packets::ProgramOptions options = {}, const FilterOptions& filter = {});

  /// `gso_segments`: wire packets that the skb stands for (tc only).
  RunResult run(const std::string& program, const Bytes& packet, std::uint32_t gso_segments = 0);

  [[nodiscard]] const kernel::Object& object() const { return *object_; }
  [[nodiscard]] sonde_counters counters() const;
  void switch_events(bool on) const;
  [[nodiscard]] const filter::CompiledFilter& filter() const { return filter_; }

 private:
  filter::CompiledFilter filter_;
  std::optional<kernel::Object> object_;
  std::unique_ptr<packets::Reader> reader_;
};

struct ProgramUnderTest {
  const char* name;
  LinkType link;
  std::uint32_t verdict;
  std::uint8_t direction;
};
/// XDP, tc in and out, bare IP in and out.
const std::vector<ProgramUnderTest>& programs_under_test();

/// Whether this kernel's BPF_PROG_TEST_RUN is known to refuse the packet for tc: 14 bytes and less, and IP packets
/// that are shorter than their fixed header (skb->protocol is what stands at byte 12).
bool refused_for_tc(const Bytes& packet);

/// What user space says about a packet, in the members that headers determine.
sonde_packet_event parsed(const Bytes& packet, LinkType link, std::size_t readable = SIZE_MAX);
/// The same members of a kernel event.
sonde_packet_event header_members(const SeenPacket& seen);
/// All members as text: what a failed comparison shows.
std::string describe(const sonde_packet_event& event);

}  // namespace sonde::test
