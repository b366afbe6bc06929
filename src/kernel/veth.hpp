// SPDX-License-Identifier: Apache-2.0
// Interfaces of private network namespaces, in which something is tried.
#pragma once
#include <cstdint>
#include <string>

#include "sonde/result.hpp"

namespace sonde::kernel {

/// A pair of virtual Ethernet interfaces in the thread's network namespace, both down. `peer_namespace`: descriptor of
/// the one that `peer` is in; -1: the same.
Result<void> create_veth(const std::string& name, const std::string& peer, int peer_namespace = -1);

// Of the network namespace that the socket (of any kind) was made in.
[[nodiscard]] Result<void> set_up(int socket, const std::string& interface);
/// Host byte order. Its class makes the length of the prefix.
[[nodiscard]] Result<void> set_address(int socket, const std::string& interface, std::uint32_t ipv4);
/// It was set up before the other end of its link, which is up too by now. Until then it drops what it is given.
[[nodiscard]] bool is_running(int socket, const std::string& interface);

}  // namespace sonde::kernel
