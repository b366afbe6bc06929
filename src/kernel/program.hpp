// SPDX-License-Identifier: Apache-2.0
// What can be asked of a loaded program.
#pragma once
#include <cstdint>
#include <span>

#include "sonde/result.hpp"

namespace sonde::kernel {

/// Runs a loaded tc program once on a frame (BPF_PROG_TEST_RUN), in the network namespace of the calling thread and as
/// if on this interface (0: loopback). The frame becomes what the program made of it. Nothing is sent.
[[nodiscard]] Result<void> run_on_frame(int program_fd, std::span<std::uint8_t> frame, std::uint32_t ifindex);

/// Runs that did not take place because the program was running on this CPU already (an interrupt during a tracing
/// program): events that it has not seen.
[[nodiscard]] Result<std::uint64_t> missed_runs(int program_fd);

}  // namespace sonde::kernel
