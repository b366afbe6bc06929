// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/listeners.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "actuators/proxy/forward/relay.hpp"

namespace sonde::proxy {
namespace {

// What accepted sockets inherit; and they are accepted when the first bytes are there, or after about a second, so that
// a connection and its hello are one event.
void prepare(const Fd& socket) {
  prepare_for_relay(socket.get());
  const int seconds = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

Result<Fd> duplicate(const Fd& fd) {
  Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno("duplicate a listening socket");
  return copy;
}

}  // namespace

void Listeners::inherit(std::vector<ListeningSocket> sockets) {
  for (auto& [address, fd] : sockets) sockets_[address].push_back(std::move(fd));
}

Result<void> Listeners::open(const std::vector<ProxyListener>& listeners) {
  std::map<Endpoint, std::vector<Fd>> opened;
  for (const auto& listener : listeners) {
    if (has(listener.address)) continue;
    auto& sockets = opened[listener.address];
    for (unsigned i = 0; i < workers_; ++i) {
      auto socket = listen_on(listener.address, workers_ > 1);
      if (!socket) return std::unexpected(socket.error());
      sockets.push_back(std::move(socket->fd));
    }
  }
  sockets_.merge(opened);
  for (const auto& [address, sockets] : sockets_)
    for (const auto& socket : sockets) prepare(socket);
  return {};
}

Result<std::vector<Fd>> Listeners::sockets_of(const Endpoint& address, unsigned index) const {
  const auto& sockets = sockets_.at(address);
  std::vector<Fd> copies;
  for (std::size_t i = index % sockets.size(); i < sockets.size(); i += workers_) {
    auto copy = duplicate(sockets[i]);
    if (!copy) return std::unexpected(copy.error());
    copies.push_back(std::move(*copy));
  }
  return copies;
}

std::vector<Endpoint> Listeners::close_spare(const std::vector<ProxyListener>& listeners) {
  std::vector<Endpoint> spare;
  for (const auto& [address, sockets] : sockets_)
    if (std::ranges::none_of(listeners, [&](const auto& listener) { return listener.address == address; }))
      spare.push_back(address);
  for (const auto& address : spare) sockets_.erase(address);
  return spare;
}

Result<std::vector<ListeningSocket>> Listeners::duplicates() const {
  std::vector<ListeningSocket> all;
  for (const auto& [address, sockets] : sockets_)
    for (const auto& socket : sockets) {
      auto copy = duplicate(socket);
      if (!copy) return std::unexpected(copy.error());
      all.push_back({address, std::move(*copy)});
    }
  return all;
}

}  // namespace sonde::proxy
