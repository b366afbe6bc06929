// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/resolve/dns_channel.hpp"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "actuators/proxy/resolve/hosts_file.hpp"
#include "decode/dns_names.hpp"

namespace sonde::proxy {
namespace {

constexpr std::uint32_t readable_bits = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr int tries = 3;  // c-ares waits twice as long each time: 1 + 2 + 4 times the first
constexpr int waits = 7;
constexpr int message_size = 1232;  // of answers over UDP that are not in danger of fragmentation (dnsflagday.net/2020)

constexpr std::size_t message_header = 12;

std::string key_of(const std::string& name, std::uint16_t type) { return std::to_string(type) + ' ' + name; }

Result<void> start_library() {
  static std::once_flag once;
  static int status = ARES_SUCCESS;
  std::call_once(once, [] { status = ares_library_init(ARES_LIB_INIT_ALL); });
  if (status != ARES_SUCCESS) return fail(ErrorKind::failed, std::string("c-ares: ") + ares_strerror(status));
  return {};
}

}  // namespace

DnsChannel::DnsChannel(Loop& loop)
    : loop_(loop),
      timer_([this] {
        ares_process_fd(ares_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        tell();
      }),
      tell_([this] { tell(); }) {}

Result<std::unique_ptr<DnsChannel>> DnsChannel::make(Loop& loop, const Settings& settings) {
  if (auto started = start_library(); !started) return std::unexpected(started.error());
  std::unique_ptr<DnsChannel> channel(new DnsChannel(loop));
  if (auto started = channel->start(settings); !started) return std::unexpected(started.error());
  return channel;
}

DnsChannel::~DnsChannel() {
  if (ares_) ares_destroy(ares_);  // ends the open questions, whose answers nobody is told, and closes the sockets
}

Result<void> DnsChannel::start(const Settings& settings) {
  std::string resolv_conf = settings.resolv_conf;
  ares_options options{};
  options.flags = ARES_FLAG_EDNS;
  options.ednspsz = message_size;
  options.timeout = std::max(1, static_cast<int>(settings.timeout.count() / waits));
  options.tries = tries;
  options.sock_state_cb = state_changed;
  options.sock_state_cb_data = this;
  options.resolvconf_path = resolv_conf.data();
  const int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
                   ARES_OPT_RESOLVCONF;
  if (const int status = ares_init_options(&ares_, &options, mask); status != ARES_SUCCESS) {
    ares_ = nullptr;
    return fail(ErrorKind::failed, std::string("c-ares: ") + ares_strerror(status));
  }
  static constexpr ares_socket_functions functions{open_socket, close_socket, connect_socket, receive, send};
  ares_set_socket_functions(ares_, &functions, this);
  return settings.servers.empty() ? Result<void>() : set_servers(settings.servers);
}

Result<void> DnsChannel::set_servers(const std::vector<Endpoint>& servers) {
  std::vector<ares_addr_port_node> nodes(servers.size());
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const Endpoint& server = servers[i];
    ares_addr_port_node& node = nodes[i];
    node = {};
    node.next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
    node.family = server.is_ipv4() ? AF_INET : AF_INET6;
    node.udp_port = node.tcp_port = server.port;
    std::memcpy(&node.addr, &server.address[server.is_ipv4() ? 12 : 0], server.is_ipv4() ? 4 : 16);
  }
  if (const int status = ares_set_servers_ports(ares_, nodes.data()); status != ARES_SUCCESS) {
    return fail(ErrorKind::failed, std::string("c-ares: name servers: ") + ares_strerror(status));
  }
  return {};
}

void DnsChannel::ask(const std::string& name, std::uint16_t type, Done done) {
  auto question = std::make_unique<Question>(Question{this, key_of(name, type), std::move(done)});
  open_[question->key];
  ares_query(ares_, name.c_str(), ns_c_in, type, answered, question.release());
  handle_pending_writes();
  set_timer();
  if (!ended_.empty()) tell_.set(loop_, loop_.now());
}

void DnsChannel::answered(void* open_question, int status, int, unsigned char* message, int size) {
  const std::unique_ptr<Question> question(static_cast<Question*>(open_question));
  if (status == ARES_EDESTRUCTION) return;
  DnsChannel& self = *question->channel;
  auto open = self.open_.extract(question->key);
  std::vector<std::uint8_t> copy;
  if (message) copy.assign(message, message + size);
  if (status == ARES_ECONNREFUSED && open && !open.mapped().empty()) {
    status = ARES_SUCCESS;
    copy = std::move(open.mapped());
  }
  self.ended_.push_back({std::move(question->done), status, std::move(copy)});
}

// Not from within c-ares: who is told may ask again.
void DnsChannel::tell() {
  telling_ = true;
  while (!ended_.empty()) {
    for (Ended& ended : std::exchange(ended_, {})) ended.done(ended.status, ended.message);
  }
  telling_ = false;
  set_timer();
}

void DnsChannel::set_timer() {
  timeval value{};
  if (!ares_timeout(ares_, nullptr, &value)) return timer_.cancel();
  timer_.set(loop_, Clock::now() + std::chrono::seconds(value.tv_sec) + std::chrono::microseconds(value.tv_usec));
}

void DnsChannel::wake(Channel& channel) {
  handle(channel.fd());
  handle_pending_writes();
  tell();
}

// c-ares reads a TCP socket once a call and knows levels; here are edges: until the socket has nothing left.
void DnsChannel::handle(int fd) {
  for (;;) {
    Socket* socket = find(fd);
    if (!socket) return;
    const bool readable = socket->channel.ready() & readable_bits;
    const bool writable = socket->wants_write && socket->channel.ready() & EPOLLOUT;
    if (!readable && !writable) return;
    progress_ = false;
    ares_process_fd(ares_, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
    socket = find(fd);
    if (socket && !progress_) socket->channel.clear(readable_bits | EPOLLOUT);
  }
}

void DnsChannel::handle_pending_writes() {
  std::vector<int> pending;
  for (const auto& [fd, socket] : sockets_) {
    if (socket->wants_write) pending.push_back(fd);
  }
  for (const int fd : pending) handle(fd);
}

// c-ares takes a server that says SERVFAIL, NOTIMP or REFUSED for one that cannot be reached, asks the next, and in the
// end says ARES_ECONNREFUSED for both. What it was is for the log alone. Over TCP it stays unknown.
void DnsChannel::remember_failure(std::span<const std::uint8_t> message) {
  if (message.size() < message_header || (message[3] & 15) == 0) return;
  const auto name = decode::read_dns_name(message, message_header);
  if (!name || message.size() < name->next + 2) return;
  const auto type = static_cast<std::uint16_t>(message[name->next] << 8 | message[name->next + 1]);
  const auto found = open_.find(key_of(fold_name(name->text), type));
  if (found != open_.end()) found->second.assign(message.begin(), message.end());
}

DnsChannel::Socket* DnsChannel::find(int fd) {
  const auto found = sockets_.find(fd);
  return found == sockets_.end() ? nullptr : found->second.get();
}

void DnsChannel::state_changed(void* channel, ares_socket_t fd, int, int writable) {
  if (Socket* socket = static_cast<DnsChannel*>(channel)->find(fd)) socket->wants_write = writable != 0;
}

ares_socket_t DnsChannel::open_socket(int family, int type, int protocol, void* channel) {
  auto& self = *static_cast<DnsChannel*>(channel);
  Fd fd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd) return ARES_SOCKET_BAD;
  const int number = fd.get();
  auto socket = std::make_unique<Socket>();
  if (auto opened = socket->channel.open(self.loop_, std::move(fd)); !opened) {
    errno = opened.error().code;
    return ARES_SOCKET_BAD;
  }
  socket->channel.set_waker(&self);
  self.sockets_[number] = std::move(socket);
  return number;
}

int DnsChannel::close_socket(ares_socket_t fd, void* channel) {
  static_cast<DnsChannel*>(channel)->sockets_.erase(fd);
  return 0;
}

int DnsChannel::connect_socket(ares_socket_t fd, const sockaddr* address, ares_socklen_t size, void*) {
  return ::connect(fd, address, size);
}

ares_ssize_t DnsChannel::receive(ares_socket_t fd, void* bytes, size_t size, int flags, sockaddr* from,
                                 ares_socklen_t* from_size, void* channel) {
  auto& self = *static_cast<DnsChannel*>(channel);
  self.progress_ = true;
  const ssize_t received = ::recvfrom(fd, bytes, size, flags, from, from_size);
  if (received > 0)
    self.remember_failure({static_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(received)});
  if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    if (Socket* socket = self.find(fd)) socket->channel.clear(readable_bits);
  }
  return received;
}

ares_ssize_t DnsChannel::send(ares_socket_t fd, const iovec* parts, int count, void* channel) {
  auto& self = *static_cast<DnsChannel*>(channel);
  self.progress_ = true;
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = static_cast<std::size_t>(count);
  ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  // Of a datagram before this one. Sent, this one brings the error again to where the reader sees it, for all
  // questions.
  if (sent < 0 && errno == ECONNREFUSED) sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    if (Socket* socket = self.find(fd)) socket->channel.clear(EPOLLOUT);
  }
  return sent;
}

}  // namespace sonde::proxy
