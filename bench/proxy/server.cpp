// SPDX-License-Identifier: Apache-2.0
// Reads a ClientHello and a mode on every connection, then does what the mode says.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <span>
#include <vector>

#include "proxy/client_hello.hpp"
#include "proxy/load.hpp"

namespace sonde::bench {
namespace {

constexpr std::size_t largest_record = 1024;

struct Connection {
  Fd fd;
  std::array<std::uint8_t, largest_record> head{};
  std::size_t head_bytes = 0;
  bool started = false;
  Mode mode = Mode::echo;
  std::vector<char> unsent;  ///< of echo
};

class Server {
 public:
  Server(const Address& address, Fd listener, std::atomic<std::uint64_t>& received)
      : listener_(std::move(listener)), received_(received), chunk_(chunk_bytes, 'x') {
    const int on = 1;
    require(::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0, "SO_REUSEADDR");
    require(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0, "bind");
    require(::listen(listener_.get(), 4096) == 0, "listen");
    poll_.add(listener_.get(), EPOLLIN, 0);
  }

  void run() {
    std::array<epoll_event, 128> events;
    while (true) {
      const int ready = poll_.wait(events.data(), events.size(), std::chrono::hours(1));
      for (int i = 0; i < ready; ++i) {
        if (events[static_cast<std::size_t>(i)].data.u64 == 0)
          accept_all();
        else
          handle(events[static_cast<std::size_t>(i)].data.u64);
      }
    }
  }

 private:
  void accept_all() {
    while (true) {
      Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!fd) {
        if (errno == ECONNABORTED || errno == EINTR) continue;
        return require(errno == EAGAIN, "accept4");
      }
      const int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      const auto slot = static_cast<std::size_t>(fd.get());
      if (connections_.size() <= slot) connections_.resize(slot + 1);
      auto connection = std::make_unique<Connection>();
      connection->fd = std::move(fd);
      poll_.add(static_cast<int>(slot), EPOLLIN, slot);
      connections_[slot] = std::move(connection);
      handle(slot);  // the hello is often there
    }
  }

  void handle(std::uint64_t slot) {
    Connection* connection = connections_[slot].get();
    if (connection == nullptr) return;  // closed in this batch
    if (!go_on(*connection)) connections_[slot].reset();
  }

  // False: over.
  bool go_on(Connection& connection) {
    if (!connection.started) return read_head(connection);
    switch (connection.mode) {
      case Mode::echo: return echo(connection);
      case Mode::source: return send_chunk(connection);
      case Mode::sink: return read_chunk(connection);
      case Mode::one_shot:
      case Mode::page: return false;
    }
    return false;
  }

  bool read_head(Connection& connection) {
    const std::size_t wanted = record_length({connection.head.data(), connection.head_bytes});
    const std::size_t until = wanted == 0 ? 5 : wanted + 1;
    if (until > largest_record) return false;
    const ssize_t got =
        ::recv(connection.fd.get(), connection.head.data() + connection.head_bytes, until - connection.head_bytes, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    connection.head_bytes += static_cast<std::size_t>(got);
    if (wanted == 0 || connection.head_bytes < until) return read_head(connection);
    connection.started = true;
    connection.mode = static_cast<Mode>(connection.head[wanted]);
    const auto slot = static_cast<std::uint64_t>(connection.fd.get());
    if (connection.mode == Mode::source) poll_.change(connection.fd.get(), EPOLLOUT, slot);
    const bool page = connection.mode == Mode::page;
    if (connection.mode != Mode::one_shot && !page) return true;
    (void)::send(connection.fd.get(), chunk_.data(), page ? page_bytes : answer_bytes, MSG_NOSIGNAL);
    return false;
  }

  bool echo(Connection& connection) {
    std::array<char, 16384> buffer;
    if (connection.unsent.empty()) {
      const ssize_t got = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) return got < 0 && errno == EAGAIN;
      const auto size = static_cast<std::size_t>(got);
      const ssize_t sent = ::send(connection.fd.get(), buffer.data(), size, MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return false;
      const auto done = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
      if (done == size) return true;
      connection.unsent.assign(buffer.data() + done, buffer.data() + size);
      poll_.change(connection.fd.get(), EPOLLOUT, static_cast<std::uint64_t>(connection.fd.get()));
      return true;
    }
    const ssize_t sent = ::send(connection.fd.get(), connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    connection.unsent.erase(connection.unsent.begin(), connection.unsent.begin() + sent);
    if (connection.unsent.empty())
      poll_.change(connection.fd.get(), EPOLLIN, static_cast<std::uint64_t>(connection.fd.get()));
    return true;
  }

  bool send_chunk(Connection& connection) {
    return ::send(connection.fd.get(), chunk_.data(), chunk_.size(), MSG_NOSIGNAL) > 0 || errno == EAGAIN;
  }

  bool read_chunk(Connection& connection) {
    const ssize_t got = ::recv(connection.fd.get(), chunk_.data(), chunk_.size(), 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    received_.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
    return true;
  }

  Poll poll_;
  Fd listener_;
  std::atomic<std::uint64_t>& received_;
  std::vector<char> chunk_;
  std::vector<std::unique_ptr<Connection>> connections_;  ///< by descriptor
};

}  // namespace

std::atomic<std::uint64_t>& shared_counter(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  require(static_cast<bool>(file) && ::ftruncate(file.get(), 4096) == 0, path.c_str());
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  require(memory != MAP_FAILED, "mmap");
  return *static_cast<std::atomic<std::uint64_t>*>(memory);
}

void serve(const std::string& listen, const std::string& counter) {
  const Address address = address_of(listen);
  Fd listener(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  require(static_cast<bool>(listener), "socket");
  Server server(address, std::move(listener), shared_counter(counter));
  std::fprintf(stderr, "ready\n");
  server.run();
}

}  // namespace sonde::bench
