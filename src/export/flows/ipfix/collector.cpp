// SPDX-License-Identifier: Apache-2.0
#include "export/flows/ipfix/collector.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace sonde::exporter::ipfix {
namespace {

constexpr std::size_t ethernet_mtu = 1500;
constexpr int send_patience_ms = 100;

std::unexpected<Error> wrong_word(const std::string& word) {
  return fail(
      ErrorKind::usage,
      "--export '" + word + "': expected HOST:PORT, as in 192.0.2.1:4739, [2001:db8::1]:4739, flows.example:4739");
}

bool is_port(const std::string& text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

}  // namespace

Result<HostPort> parse_collector(const std::string& word) {
  const auto colon = word.rfind(':');
  if (colon == std::string::npos || colon == 0) return wrong_word(word);
  HostPort result{word.substr(0, colon), word.substr(colon + 1)};
  auto& host = result.host;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed)
    host = host.substr(1, host.size() - 2);
  else if (host.find_first_of(":[]") != std::string::npos)
    return wrong_word(word);
  if (!is_port(result.port)) return wrong_word(word);
  return result;
}

Result<Collector> Collector::open(const std::string& word) {
  const auto place = parse_collector(word);
  if (!place) return std::unexpected(place.error());
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(place->host.c_str(), place->port.c_str(), &hints, &found);
  if (status != 0)
    return fail(ErrorKind::failed, "--export " + word + ": " + ::gai_strerror(status),
                "expected the name or address of an IPFIX collector");
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> guard(found, ::freeaddrinfo);
  Collector collector;
  collector.name_ = word;
  // The first address that there is a route to: a name often has one of each family.
  Result<void> opened;
  for (const auto* one = found; one != nullptr && !collector.connected_; one = one->ai_next)
    opened = collector.use(*one);
  if (!opened) return std::unexpected(opened.error());
  return collector;
}

Result<void> Collector::use(const addrinfo& address) {
  socket_.reset(::socket(address.ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return fail_errno("--export " + name_ + ": socket");
  std::memcpy(&address_, address.ai_addr, address.ai_addrlen);
  address_size_ = address.ai_addrlen;
  (void)connect();
  return {};
}

bool Collector::connect() {
  connected_ = connected_ || ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address_), address_size_) == 0;
  return connected_;
}

Collector::Sent Collector::send(std::span<const std::uint8_t> bytes) {
  Sent sent;
  if (!connect()) return {false, false, errno};
  // An error that waits in the socket is returned in place of sending; then it is sent.
  for (int attempt = 0; attempt < 4; ++attempt) {
    if (::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0) {
      sent.ok = true;
      return sent;
    }
    sent.code = errno;
    if (errno == ECONNREFUSED) {
      sent.refused_before = true;
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      pollfd wanted{socket_.get(), POLLOUT, 0};
      ::poll(&wanted, 1, send_patience_ms);
    } else if (errno != EINTR) {
      return sent;
    }
  }
  return sent;
}

bool Collector::was_refused(int milliseconds) {
  if (!connected_) return false;
  pollfd wanted{socket_.get(), 0, 0};
  if (::poll(&wanted, 1, milliseconds) <= 0) return false;
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ECONNREFUSED;
}

std::size_t Collector::payload_size() const {
  const bool ipv6 = address_.ss_family == AF_INET6;
  const std::size_t headers = ipv6 ? 40 + 8 : 20 + 8;
  int mtu = 0;
  socklen_t size = sizeof(mtu);
  const bool known =
      connected_ && ::getsockopt(socket_.get(), ipv6 ? SOL_IPV6 : SOL_IP, ipv6 ? IPV6_MTU : IP_MTU, &mtu, &size) == 0 &&
      mtu > static_cast<int>(headers);
  // Loopback's 65,536 are no reason for datagrams of that size.
  return (known ? std::min(ethernet_mtu, static_cast<std::size_t>(mtu)) : ethernet_mtu) - headers;
}

}  // namespace sonde::exporter::ipfix
