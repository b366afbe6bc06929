// SPDX-License-Identifier: Apache-2.0
// The ladder of hooks that tell who sends on and who accepts a socket.
#pragma once
#include <sonde/abi/owner.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernel/attach.hpp"
#include "kernel/object.hpp"
#include "sonde/result.hpp"

namespace sonde::owners {

/// A way to attach. `programs` are loaded together; one whose hook the kernel does not have is left out.
struct Rung {
  const char* name;
  const char* description;
  sonde_owner_store store;
  std::vector<const char*> (*programs)();  ///< for the running kernel; empty: it has none of the hooks
};

/// In the order in which `auto` tries them.
[[nodiscard]] std::span<const Rung> rungs();

/// Loaded and attached.
struct Attached {
  kernel::Object object;
  std::vector<kernel::Link> links;
  const Rung* rung;
  std::string notice;   ///< the hooks, and why the rungs above were not taken
  bool joined = false;  ///< the hooks are those of another sonde, which began earlier
};

/// May the hooks be those of another sonde? They are then held by both, run once, and stay until the last one ends.
enum class Sharing { allowed, none };

/// The rung of this name, or the first that works for "auto". ErrorKind::usage names the rungs.
[[nodiscard]] Result<Attached> attach_rung(const std::string& name, std::uint32_t map_size, Sharing sharing);

/// What is recorded for a socket of this process; nothing: no record.
[[nodiscard]] std::optional<sonde_owner> recorded_owner(const Attached& attached, int socket);

}  // namespace sonde::owners
