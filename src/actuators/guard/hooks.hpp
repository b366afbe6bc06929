// SPDX-License-Identifier: Apache-2.0
// The guard's programs on the hooks of interfaces.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernel/interfaces.hpp"
#include "kernel/object.hpp"
#include "sonde/guard.hpp"
#include "sonde/result.hpp"

namespace sonde::guard {

enum class Side : std::uint8_t { receive, send };

/// One way to get hold of packets: a line of the table in hooks.cpp.
struct HookKind {
  const char* pin;   ///< behind the interface's number in the pin's name
  const char* name;  ///< for people
  const char* mode;  ///< GuardAttachOptions::mode that allows it, beside auto
  Side side;
  bool is_link;
};

/// A hook that is taken.
struct Hook {
  std::uint32_t ifindex = 0;  ///< from the name of the pin
  const HookKind* kind = nullptr;
  bool gone = false;  ///< the interface does not exist any more
};

/// As the directory's names tell.
[[nodiscard]] std::vector<Hook> read_hooks(const std::string& directory);

/// Every hook of the directory is a link whose interface is gone, and there is at least one.
[[nodiscard]] bool all_links_gone(const std::string& directory);

/// Takes both sides of an interface by the first way of the ladder that `mode` allows and that works; those that are
/// taken already stay. What was taken and why not another is noted for people.
Result<void> take_hooks(const std::string& directory, const kernel::Object& programs,
                        const kernel::InterfaceInfo& interface, const std::string& mode,
                        std::vector<std::string>& notices);

/// Exchanges the program of a hook that is taken.
Result<void> renew_hook(const std::string& directory, const kernel::Object& programs,
                        const kernel::InterfaceInfo& interface, const Hook& hook);

/// Lets go of a hook.
Result<void> release_hook(const std::string& directory, const Hook& hook);

/// "auto", and what HookKind::mode names.
[[nodiscard]] Result<void> check_mode(const std::string& mode);

}  // namespace sonde::guard
