// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>

namespace sonde::proxy {

struct HostUser {
  std::string name;
  uid_t id;
  gid_t group;
};

/// By name, or by number where the name is one.
[[nodiscard]] std::optional<HostUser> find_host_user(const std::string& name);

}  // namespace sonde::proxy
