// SPDX-License-Identifier: Apache-2.0
// The packets BPF object, adjusted to one capture and loaded.
#pragma once
#include <span>

#include "filter/filter.hpp"
#include "kernel/object.hpp"
#include "sensors/packets/packets.abi.h"
#include "sonde/result.hpp"

namespace sonde::packets {

/// What the programs do; the constants of sonde_packets_config follow from it.
struct ProgramOptions {
  filter::CompiledFilter filter;
  bool xdp = false;           ///< load the XDP program too (Linux 5.18: bpf_xdp_load_bytes)
  bool emit_events = true;    ///< false: statistics only
  bool count_totals = false;  ///< keep the totals map
  bool capture_bytes = false;
  std::uint32_t snaplen = 0;  ///< with capture_bytes: bytes a packet; 0: its headers
  sonde_transport transport = SONDE_TRANSPORT_RING;
  std::uint32_t rings = 1;  ///< a power of two up to 256
  std::uint32_t wakeup_bytes = 0;
  std::uint8_t xdp_verdict = 2;  ///< XDP_PASS; benchmarks of the program alone set XDP_DROP
};

/// The ELF bytes that the library carries.
[[nodiscard]] std::span<const std::uint8_t> object_bytes();

/// Opens, sets the constants, puts the expression in and loads. The rings are not there yet: add them to "sonde_rings".
[[nodiscard]] Result<kernel::Object> load_program(const ProgramOptions& options);

}  // namespace sonde::packets
