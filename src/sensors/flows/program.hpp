// SPDX-License-Identifier: Apache-2.0
// The packets programs that count flows, adjusted and loaded.
#pragma once
#include <cstdint>
#include <span>

#include "kernel/object.hpp"
#include "sensors/packets/flows.abi.h"
#include "sensors/packets/program.hpp"
#include "sonde/result.hpp"

namespace sonde::flows {

struct FlowProgramOptions {
  packets::ProgramOptions packets = {};  ///< as for a capture; what is reported is set by load_flow_program()
  std::uint32_t max_flows = 65536;
  bool groups = false;
  bool arp = false;
  bool dns = false;
  bool light_path = true;  ///< false: every packet goes through the parser (tests)
};

/// The ELF bytes that the library carries.
[[nodiscard]] std::span<const std::uint8_t> flow_object_bytes(bool with_owners = false);

/// Buckets of a table with room for so many flows: half as many slots more, so that of as many flows one in some
/// thousand finds its two buckets full.
[[nodiscard]] std::uint32_t bucket_count(std::uint32_t max_flows);

[[nodiscard]] Result<kernel::Object> load_flow_program(FlowProgramOptions options);

}  // namespace sonde::flows
