// SPDX-License-Identifier: Apache-2.0
// Files that the proxy writes. What it creates while it is still root is given to the user that it becomes, so that it
// can be rotated and replaced later.
#pragma once
#include <sys/types.h>

#include <string>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Makes the folders above a file that are not there (mode 0755).
[[nodiscard]] Result<void> create_folders_above(const std::string& path);
/// O_APPEND; created with mode 0640.
[[nodiscard]] Result<Fd> open_to_append(const std::string& path);
/// Read and write, at the start; created with mode 0640.
[[nodiscard]] Result<Fd> open_to_rewrite(const std::string& path);
/// Created by somebody else's call.
void remember_created(const std::string& path);
/// Everything that these functions have created so far. Errors are of no importance: the descriptors are open.
void give_created_to(uid_t user, gid_t group);

}  // namespace sonde::proxy
