// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/bypass/connection.hpp"

#include <sys/socket.h>

namespace sonde::proxy {
namespace {

// Of the proxy's sockets (the kernel doubles it). The less is on its way through the proxy, the sooner a sender that
// does not pause gets off TCP; with less than this TCP on loopback, whose segments have 64 KiB, begins to wait for
// windows.
constexpr int receive_buffer = 64 << 10;

__u64 sonde_bypass_connections::*counter_of(int pairing) {
  using C = sonde_bypass_connections;
  switch (pairing) {
    case SONDE_BYPASS_NO_CLIENT: return &C::declined_client;
    case SONDE_BYPASS_NO_BACKEND:
    case SONDE_BYPASS_NOT_ACCEPTED: return &C::declined_backend;
    case SONDE_BYPASS_BLOCKING: return &C::declined_blocking;
    case SONDE_BYPASS_UNSUITED: return &C::declined_unsuited;
    default: return &C::declined_kernel;
  }
}

}  // namespace

void BypassedConnection::decline(__u64 sonde_bypass_connections::*counter) {
  stage_ = Stage::declined;
  programs_.count(counter);
}

bool BypassedConnection::try_pair() {
  const std::lock_guard lock(mutex_);
  if (stage_ != Stage::waiting) return false;
  pairing_ = programs_.pair(request_);
  if (pairing_ == SONDE_BYPASS_NOT_ACCEPTED || pairing_ == SONDE_BYPASS_BLOCKING) return true;
  if (pairing_ != SONDE_BYPASS_PAIRED) {
    decline(counter_of(pairing_));
    return false;
  }
  stage_ = Stage::paired;
  programs_.count(&sonde_bypass_connections::taken);
  for (const int fd : {client_fd_, upstream_fd_})
    (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  return false;
}

void BypassedConnection::give_up() {
  const std::lock_guard lock(mutex_);
  if (stage_ == Stage::waiting) decline(counter_of(pairing_));
}

// The sockets stay in SOCK_MAP until they are closed: what lies unread in them must not be lost.
void BypassedConnection::end() {
  const std::lock_guard lock(mutex_);
  if (stage_ == Stage::waiting) programs_.count(&sonde_bypass_connections::declined_short);
  if (stage_ == Stage::paired) {
    (void)kernel::map_delete(programs_.connections_fd, &request_.client);
    (void)kernel::map_delete(programs_.connections_fd, &request_.backend);
    programs_.count(&sonde_bypass_connections::ended);
  }
  stage_ = Stage::ended;
}

Carried BypassedConnection::carried() {
  const std::lock_guard lock(mutex_);
  if (stage_ != Stage::paired) return {};
  return {bytes(request_.client), bytes(request_.backend)};
}

std::uint64_t BypassedConnection::bytes(const sonde_bypass_socket& sender) const {
  sonde_bypass_direction direction{};
  const auto found = kernel::map_lookup(programs_.connections_fd, &sender, &direction);
  return found && *found ? direction.bytes : 0;
}

}  // namespace sonde::proxy
