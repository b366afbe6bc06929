// SPDX-License-Identifier: Apache-2.0
#include "conversation.hpp"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/socket_address.hpp"
#include "stream_bytes.hpp"

namespace sonde::test {
namespace {

constexpr std::size_t piece = 64 << 10;

[[noreturn]] void complain(const std::string& what) {
  throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

void be_patient(int fd) {
  constexpr timeval patience{10, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

}  // namespace

bool Talker::send(std::uint64_t size) {
  while (size > 0) {
    const auto part = stream_part(seed_out, sent, std::min<std::uint64_t>(size, piece));
    const auto done = ::send(fd.get(), part.data, part.size, MSG_NOSIGNAL);
    if (done <= 0) return false;
    sent += static_cast<std::uint64_t>(done);
    size -= static_cast<std::uint64_t>(done);
  }
  return true;
}

bool Talker::send_urgent() {
  const auto part = stream_part(seed_out, sent, 1);
  const bool done = ::send(fd.get(), part.data, 1, MSG_OOB | MSG_NOSIGNAL) == 1;
  sent += done;
  return done;
}

bool Talker::receive(std::uint64_t size) {
  std::vector<std::uint8_t> bytes(piece);
  while (size > 0) {
    const auto done = ::recv(fd.get(), bytes.data(), std::min<std::uint64_t>(size, piece), 0);
    if (done <= 0) return false;
    const auto got = static_cast<std::size_t>(done);
    if (matching(seed_in, received, bytes.data(), got) != got) return false;
    received += got;
    size -= got;
  }
  return true;
}

bool Talker::receive_some() {
  std::vector<std::uint8_t> bytes(4 * piece);
  const auto done = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
  const auto got = static_cast<std::size_t>(std::max<ssize_t>(done, 0));
  if (matching(seed_in, received, bytes.data(), got) != got) return false;
  received += got;
  return done == 0;
}

bool Talker::receive_to_end(std::uint64_t total) { return receive(total - received) && ending() == 0; }

void Talker::shut() const { ::shutdown(fd.get(), SHUT_WR); }

void Talker::abort() {
  const linger at_once{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  fd.reset();
}

int Talker::ending() {
  std::uint8_t byte = 0;
  const auto done = ::recv(fd.get(), &byte, 1, 0);
  if (done > 0 || (done < 0 && errno == EAGAIN)) return -1;
  return done == 0 ? 0 : errno;
}

Listening::Listening(const NetworkNamespace& where, const Endpoint& at, const std::function<void(int)>& prepare) {
  where.call([&] {
    const SocketAddress address(at);
    fd_.reset(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (prepare) prepare(fd_.get());
    if (::bind(fd_.get(), address.get(), address.size()) != 0 || ::listen(fd_.get(), 128) != 0) complain("listen");
  });
}

Fd Listening::accept() const {
  pollfd waiting{fd_.get(), POLLIN, 0};
  if (::poll(&waiting, 1, 10'000) <= 0) throw std::runtime_error("nobody comes to the server");
  Fd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) complain("accept");
  return fd;
}

bool Conversation::talk(std::uint64_t size) { return pass(client, server, size) && pass(server, client, size); }

// A closed socket in repair mode takes any number for its send queue, and connect() keeps it (tcp_v4_connect()).
void begin_at(int fd, std::uint32_t sequence) {
  constexpr int on = TCP_REPAIR_ON, queue = TCP_SEND_QUEUE, off = TCP_REPAIR_OFF_NO_WP;
  if (::setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) != 0 ||
      ::setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) != 0 ||
      ::setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &sequence, sizeof(sequence)) != 0 ||
      ::setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) != 0)
    complain("TCP_QUEUE_SEQ");
}

bool pass(Talker& from, Talker& to, std::uint64_t size) {
  bool is_sent = false;
  std::thread sender([&] { is_sent = from.send(size); });  // the buffers between them may be small
  const bool has_come = to.receive(size);
  sender.join();
  return is_sent && has_come;
}

Conversation meet(const NetworkNamespace& client, const Listening& server, const Meeting& meeting) {
  static std::uint64_t next = 1;
  const auto number = next++;
  Conversation made;
  made.client.seed_out = made.server.seed_in = 2 * number;
  made.client.seed_in = made.server.seed_out = 2 * number + 1;
  client.call([&] {
    const SocketAddress address(meeting.proxy);
    made.client.fd.reset(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int fd = made.client.fd.get(), one = 1;
    be_patient(fd);
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (meeting.prepare_client) meeting.prepare_client(fd);
    if (meeting.from) {
      const SocketAddress from(*meeting.from);
      if (::bind(fd, from.get(), from.size()) != 0) complain("bind");
    }
    if (::connect(fd, address.get(), address.size()) != 0) complain("connect");
    made.client_end = local_endpoint(fd);
  });
  const auto hello = client_hello(meeting.name, number);
  made.hello = hello.size();
  if (::send(made.client.fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(hello.size()))
    complain("hello");
  made.server.fd = server.accept();
  be_patient(made.server.fd.get());
  std::vector<std::uint8_t> got(hello.size());
  if (::recv(made.server.fd.get(), got.data(), got.size(), MSG_WAITALL) != static_cast<ssize_t>(got.size()) ||
      got != hello)
    complain("the hello did not come");
  return made;
}

}  // namespace sonde::test
