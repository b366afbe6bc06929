// SPDX-License-Identifier: Apache-2.0
// Sockets in TCP_REPAIR (Linux 3.5, CAP_NET_ADMIN): they send nothing, and closing them says nothing to the peer.
#pragma once
#include <cstdint>

#include "base/fd.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

[[nodiscard]] Result<void> freeze_socket(int fd);
[[nodiscard]] Result<void> thaw_socket(int fd);

/// A frozen, established socket of these ends, so that no other connection of this host gets them. Fails with
/// EADDRINUSE or EADDRNOTAVAIL while there is one.
[[nodiscard]] Result<Fd> reserve_socket(const Endpoint& local, const Endpoint& remote);

/// Sends the remote end a reset that it accepts (RFC 5961): `sequence` is the next that it expects. No socket of these
/// ends may exist. `acknowledgement`: the next sequence number of the remote's.
[[nodiscard]] Result<void> reset_remote(const Endpoint& local, const Endpoint& remote, std::uint32_t sequence,
                                        std::uint32_t acknowledgement);

}  // namespace sonde::proxy
