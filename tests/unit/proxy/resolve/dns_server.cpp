// SPDX-License-Identifier: Apache-2.0
#include "dns_server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

std::optional<DnsQuery> read_query(const Buffer& bytes) {
  DnsQuery query;
  std::size_t at = 12;
  while (at < bytes.size() && bytes[at] != 0) {
    if (!query.name.empty()) query.name += '.';
    query.name.append(bytes.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                      bytes.begin() + static_cast<std::ptrdiff_t>(at) + 1 + bytes[at]);
    at += 1U + bytes[at];
  }
  if (at + 4 >= bytes.size()) return std::nullopt;
  query.type = static_cast<std::uint16_t>(bytes[at + 1] << 8 | bytes[at + 2]);
  return query;
}

bool read_all(int fd, void* bytes, std::size_t size) {
  return ::recv(fd, bytes, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

}  // namespace

DnsServer::DnsServer(Handler handler, const char* address, std::uint16_t port) : handler_(std::move(handler)) {
  bool bound = false;
  for (int attempt = 0; attempt < 20 && !bound; ++attempt) bound = bind_both(address, port);
  EXPECT_TRUE(bound) << "a port that is free for UDP and TCP";
  thread_ = std::thread([this] { run(); });
}

DnsServer::~DnsServer() {
  stop_ = true;
  thread_.join();
}

bool DnsServer::bind_both(const char* address, std::uint16_t port) {
  Endpoint endpoint{.port = port};
  if (::inet_pton(AF_INET6, address, endpoint.address.data()) != 1) {
    endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    ::inet_pton(AF_INET, address, &endpoint.address[12]);
  }
  const SocketAddress wanted(endpoint);
  udp_.reset(::socket(wanted.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  tcp_.reset(::socket(wanted.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(udp_.get(), wanted.get(), wanted.size()) != 0) return false;
  endpoint = local_endpoint(udp_.get());
  const SocketAddress same_port(endpoint);
  text_ = endpoint.text();
  return ::bind(tcp_.get(), same_port.get(), same_port.size()) == 0 && ::listen(tcp_.get(), 8) == 0;
}

std::string DnsServer::text() const { return text_; }

std::vector<std::string> DnsServer::questions() const {
  const std::lock_guard lock(mutex_);
  return questions_;
}

void DnsServer::run() {
  while (!stop_) {
    pollfd fds[] = {{udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
    ::poll(fds, 2, 5);
    if (fds[0].revents) answer_udp();
    if (fds[1].revents) answer_tcp();
    send_due();
  }
}

std::optional<DnsReply> DnsServer::reply_to(const Buffer& question, bool tcp) {
  auto query = read_query(question);
  if (!query) return std::nullopt;
  query->tcp = tcp;
  {
    const std::lock_guard lock(mutex_);
    const std::string type = query->type == 1 ? "A " : query->type == 28 ? "AAAA " : "? ";
    questions_.push_back(type + query->name + (tcp ? " over TCP" : ""));
  }
  auto reply = handler_(*query);
  if (!reply) return reply;
  reply->parts.id = static_cast<std::uint16_t>(question[0] << 8 | question[1]);
  reply->parts.name = query->name;
  reply->parts.type = query->type;
  return reply;
}

void DnsServer::answer_udp() {
  Buffer question(4096);
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  const auto received =
      ::recvfrom(udp_.get(), question.data(), question.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
  if (received < 12) return;
  question.resize(static_cast<std::size_t>(received));
  const auto reply = reply_to(question, false);
  if (!reply) return;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&from);
  later_.push_back({std::chrono::steady_clock::now() + reply->delay, {bytes, bytes + size}, dns_message(reply->parts)});
}

void DnsServer::send_due() {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(later_, [&](const Later& later) {
    if (later.when > now) return false;
    ::sendto(udp_.get(), later.message.data(), later.message.size(), 0,
             reinterpret_cast<const sockaddr*>(later.to.data()), static_cast<socklen_t>(later.to.size()));
    return true;
  });
}

// In pieces of a few bytes: a stream has no messages.
void DnsServer::answer_tcp() {
  const Fd peer(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::uint8_t length[2];
  while (read_all(peer.get(), length, 2)) {
    Buffer question(static_cast<std::size_t>(length[0] << 8 | length[1]));
    if (!read_all(peer.get(), question.data(), question.size())) return;
    const auto reply = reply_to(question, true);
    if (!reply) return;
    Buffer message = dns_message(reply->parts);
    message.insert(message.begin(),
                   {static_cast<std::uint8_t>(message.size() >> 8), static_cast<std::uint8_t>(message.size())});
    const std::size_t piece = message.size() / 7 + 1;
    for (std::size_t at = 0; at < message.size(); at += piece) {
      ::send(peer.get(), &message[at], std::min(piece, message.size() - at), MSG_NOSIGNAL);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
}

}  // namespace sonde::proxy
