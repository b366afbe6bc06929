// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "sonde/endpoint.hpp"

namespace sonde::proxy {

/// A listening TCP socket of this network namespace.
struct Listener {
  Endpoint address;
  unsigned long inode = 0;
};

/// Of /proc/net/tcp and tcp6, those at the port; empty where they cannot be read.
[[nodiscard]] std::vector<Listener> listeners_at(std::uint16_t port);
/// This process has a descriptor of it.
[[nodiscard]] bool is_ours(const Listener& listener);
/// Another process has one; false where that cannot be seen.
[[nodiscard]] bool is_of(pid_t process, const Listener& listener);
/// "nginx[812]", "nginx[812] and 3 more"; "" where it cannot be known: another user's without privileges.
[[nodiscard]] std::string holders_of(const Listener& listener);
/// Who keeps `address` from being bound: "nginx[812] at 0.0.0.0:443"; "" when it cannot be known.
[[nodiscard]] std::string who_has(const Endpoint& address);

}  // namespace sonde::proxy
