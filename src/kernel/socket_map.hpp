// SPDX-License-Identifier: Apache-2.0
// Programs on the sockets of a map.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "kernel/object.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// Attaches a loaded sk_msg or sk_skb program to the sockets of a SOCKMAP or SOCKHASH, those that are put into it later
/// too. The map holds it: it goes with the map.
[[nodiscard]] Result<void> attach_to_socket_map(const Object& object, std::string_view program, std::string_view map);

/// Runs a loaded tc program once with this in place of a frame (at least 14 bytes), in the network namespace of the
/// calling thread, and gives what it returned. Needs the descriptor, and no privileges since Linux 5.19 (c8644cd0efe7).
[[nodiscard]] Result<std::uint32_t> run_with_data(int program_fd, std::span<const std::uint8_t> data);

}  // namespace sonde::kernel
