// SPDX-License-Identifier: Apache-2.0
// Listening sockets: made, taken from systemd, or from the proxy that ran before.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

struct ListeningSocket {
  Endpoint address;
  Fd fd;  ///< does not block
};

/// TCP, SO_REUSEADDR; SO_REUSEPORT if `share_port`. An IPv6 one takes IPv6 only. The error names the address and, where
/// it is in use, by whom if that can be known.
/// `predecessor`: a process that may have the address too, if it shares it; 0: none.
[[nodiscard]] Result<ListeningSocket> listen_on(const Endpoint& address, bool share_port, pid_t predecessor = 0);

/// Sockets that systemd hands over (sd_listen_fds(3)); none where LISTEN_PID is not this process. The environment is
/// cleared.
[[nodiscard]] Result<std::vector<ListeningSocket>> activated_sockets();

/// sd_notify(3): "READY=1", "RELOADING=1", "STOPPING=1". Nothing without NOTIFY_SOCKET.
void notify_service_manager(const std::string& state);

}  // namespace sonde::proxy
