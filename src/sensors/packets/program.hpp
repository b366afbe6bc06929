// SPDX-License-Identifier: Apache-2.0
// The packets BPF object, adjusted to one capture and loaded.
#pragma once
#include <span>

#include "filter/filter.hpp"
#include "kernel/object.hpp"
#include "sensors/owners/owner_tracking.hpp"
#include "sensors/packets/packets.abi.h"
#include "sonde/result.hpp"

namespace sonde::packets {

/// What the programs do; the constants of sonde_packets_config follow from it.
struct ProgramOptions {
  filter::CompiledFilter filter;
  // Which programs are loaded: the verifier takes tens of milliseconds for each.
  bool xdp = false;      ///< received by XDP (Linux 5.18: bpf_xdp_load_bytes)
  bool ingress = true;   ///< received by tc
  bool egress = true;    ///< sent
  bool ethernet = true;  ///< interfaces with Ethernet headers
  bool raw_ip = false;   ///< interfaces with bare IP
  sonde_emit emit_events = SONDE_EMIT_ALWAYS;
  bool count_totals = false;  ///< keep the totals map
  bool count_sizes = false;   ///< keep the sizes map; without owners only
  bool capture_bytes = false;
  std::uint32_t snaplen = 0;  ///< with capture_bytes: bytes a packet; 0: its headers
  sonde_transport transport = SONDE_TRANSPORT_RING;
  std::uint32_t rings = 1;  ///< a power of two up to 256
  std::uint32_t wakeup_bytes = 0;
  const owners::OwnerTracking* owners = nullptr;  ///< not null: a struct sonde_socket_owner follows each event
  std::uint8_t xdp_verdict = 2;                   ///< XDP_PASS; benchmarks of the program alone set XDP_DROP
};

/// The ELF bytes that the library carries: two builds of the same programs.
[[nodiscard]] std::span<const std::uint8_t> object_bytes(bool with_owners = false);

/// Opens, sets the constants, puts the expression in and loads. The rings are not there yet: add them to "sonde_rings".
[[nodiscard]] Result<kernel::Object> load_program(const ProgramOptions& options);

/// The same with an opened object that was built from another version of the programs.
[[nodiscard]] Result<void> load_program(kernel::Object& object, const ProgramOptions& options);

/// Is it one that load_program() can adjust?
[[nodiscard]] bool is_packets_object(const kernel::Object& object);

}  // namespace sonde::packets
