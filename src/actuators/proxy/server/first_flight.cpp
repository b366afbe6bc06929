// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/first_flight.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "actuators/proxy/protocol/proxy_header.hpp"

namespace sonde::proxy {
namespace {

constexpr std::size_t read_size = 16 * 1024;
constexpr std::size_t most_header = 16 + 65535;  // version 2

enum class ReadEnd : std::uint8_t { bytes, nothing, end };

// Appends what is there.
ReadEnd read_available(Channel& client, std::vector<std::uint8_t>& bytes) {
  std::array<std::uint8_t, read_size> buffer;
  const auto size = ::recv(client.fd(), buffer.data(), buffer.size(), 0);
  if (size > 0) {
    bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + size);
    // Less than there is room for: the queue is empty, and what comes next is told (epoll(7)), unless it is the end.
    if (static_cast<std::size_t>(size) < buffer.size() && !(client.ready() & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
      client.clear(EPOLLIN);
    return ReadEnd::bytes;
  }
  if (size == 0 || errno != EAGAIN) return ReadEnd::end;
  client.clear(EPOLLIN);
  return ReadEnd::nothing;
}

// True: done with the header, which is no longer in `bytes`.
bool take_header(FirstFlight& flight, Refusal& refusal) {
  const auto header = read_proxy_header(flight.bytes);
  if (header.state == ProxyHeaderState::malformed || flight.bytes.size() > most_header) refusal = Refusal::proxy_header;
  if (header.state != ProxyHeaderState::complete) return false;
  flight.header_size = header.size;
  flight.source = header.source;
  flight.destination = header.destination;
  flight.bytes.erase(flight.bytes.begin(), flight.bytes.begin() + static_cast<std::ptrdiff_t>(header.size));
  return true;
}

struct StateRefusal {
  HelloState state;
  Refusal refusal;
};
constexpr StateRefusal refusals[] = {
    {HelloState::plain_http, Refusal::plain_http},
    {HelloState::not_tls, Refusal::not_tls},
    {HelloState::malformed, Refusal::malformed_hello},
    {HelloState::too_long, Refusal::hello_too_long},
};

Refusal refusal_of(HelloState state) {
  for (const auto& [known, refusal] : refusals)
    if (known == state) return refusal;
  return Refusal::none;
}

}  // namespace

Task<Refusal> read_first_flight(Loop& loop, Channel& client, bool proxy_header, std::size_t most_bytes,
                                Clock::time_point deadline, FirstFlight& flight) {
  HelloReader reader(most_bytes);
  for (bool header = proxy_header;;) {
    const bool readable = co_await loop.ready(client, EPOLLIN | EPOLLRDHUP, deadline);
    if (!readable) co_return Refusal::hello_timeout;
    const auto end = read_available(client, flight.bytes);
    if (end == ReadEnd::end) co_return header ? Refusal::proxy_header : Refusal::hello_incomplete;
    if (end == ReadEnd::bytes) {
      auto refusal = Refusal::none;
      if (header) header = !take_header(flight, refusal);
      if (refusal != Refusal::none) co_return refusal;
      if (header) continue;
      const auto state = reader.read(flight.bytes);
      if (state == HelloState::complete) {
        flight.hello = reader.hello();
        co_return flight.hello.server_name.empty() ? Refusal::no_server_name : Refusal::none;
      }
      if (const auto why = refusal_of(state); why != Refusal::none) co_return why;
    }
  }
}

}  // namespace sonde::proxy
