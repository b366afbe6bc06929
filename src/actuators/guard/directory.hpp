// SPDX-License-Identifier: Apache-2.0
// The directory of a network namespace under bpffs: where its guard lives. Names in it:
//   rules, totals, buckets, control, log   the maps
//   previous                               a rule set whose counts have not been carried over yet
//   7-xdp-native, 7-tcx-egress ...         the hooks of interface 7: pinned links; directories where the hook is no
//   link
#pragma once
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::guard {

/// That of the calling thread's network namespace, without a slash at the end. Makes nothing but the mount of bpffs.
[[nodiscard]] Result<std::string> find_directory();

/// Waits until nobody else holds the directory and takes it until the Fd is closed, also by SIGKILL. The directory is
/// made where `make`; otherwise no Fd (false) tells that there is none.
[[nodiscard]] Result<Fd> lock_directory(const std::string& path, bool make);

/// Names in a directory; none where there is no such directory.
[[nodiscard]] std::vector<std::string> names_in(const std::string& path);

/// Removes what is in the directory. Pinned links detach.
Result<void> remove_pins(const std::string& path);

/// Removes what is in the directory, itself, and its parents below bpffs as far as they are empty. Pinned links detach.
Result<void> remove_directory(const std::string& path);

/// Removes the directories of network namespaces whose interfaces have all gone, so that nothing can be guarded there.
void remove_abandoned(const std::string& own);

}  // namespace sonde::guard
