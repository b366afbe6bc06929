// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/control.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "actuators/proxy/process/control_wire.hpp"
#include "actuators/proxy/process/log.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t most_clients = 16;
constexpr std::size_t longest_request = 64;
constexpr auto patience_with_client = 30s;      // until its request is whole, and while it takes the answer
constexpr auto pause = 100ms;                   // after a client could not be accepted
constexpr auto patience_with_successor = 300s;  // from the listeners to "release": it tries its paths meanwhile

struct Client {
  Fd connection;
  Clock::time_point deadline;
  std::string request;
  bool is_successor = false;  ///< has the listeners
  bool over = false;
};

void limit_writes(int connection) {
  const timeval limit{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

class Server : public ControlServer {
 public:
  Server(ControlSocket socket, ControlRequests requests, Fd wake)
      : socket_(std::move(socket)), requests_(std::move(requests)), wake_(std::move(wake)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Server() override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof(one));
    thread_.join();
  }

 private:
  void run();
  [[nodiscard]] int milliseconds_left() const;
  [[nodiscard]] bool may_accept() const { return clients_.size() < most_clients && Clock::now() >= accept_again_; }
  Fd accept_one();
  void accept_client();
  void read_request(Client& client);
  void answer(Client& client, std::string_view request);
  void give_listeners(Client& client);
  void release(Client& client);
  void successor_failed();

  ControlSocket socket_;
  ControlRequests requests_;
  Fd wake_;
  Fd spare_;  ///< given up for a client that comes when no descriptor is left
  Clock::time_point accept_again_;
  std::vector<Client> clients_;
  std::thread thread_;
};

int Server::milliseconds_left() const {
  const auto now = Clock::now();
  auto first = accept_again_ > now ? accept_again_ : Clock::time_point::max();
  for (const Client& client : clients_) first = std::min(first, client.deadline);
  if (first == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void Server::run() {
  for (;;) {
    if (!spare_) spare_.reset(::fcntl(wake_.get(), F_DUPFD_CLOEXEC, 0));
    std::vector<pollfd> waits{{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    // -1 is not looked at: with all places taken the next client waits in the backlog.
    waits.push_back({.fd = may_accept() ? socket_.fd() : -1, .events = POLLIN, .revents = 0});
    for (const Client& client : clients_)
      waits.push_back({.fd = client.connection.get(), .events = POLLIN, .revents = 0});
    if (::poll(waits.data(), waits.size(), milliseconds_left()) < 0 && errno != EINTR) return;
    if (waits[0].revents != 0) return;
    const auto now = Clock::now();
    for (std::size_t i = 2; i < waits.size(); ++i) {
      Client& client = clients_[i - 2];
      if (waits[i].revents != 0) read_request(client);
      if (client.deadline <= now) client.over = true;
      if (client.over && client.is_successor) successor_failed();
    }
    std::erase_if(clients_, [](const Client& client) { return client.over; });
    if (waits[1].revents != 0) accept_client();
  }
}

// A proxy whose clients have all descriptors can still be asked what it is doing.
Fd Server::accept_one() {
  Fd connection(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  if (connection || errno != EMFILE) return connection;
  spare_.reset();
  connection.reset(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  return connection;
}

void Server::accept_client() {
  Fd connection = accept_one();
  if (!connection) {
    accept_again_ = Clock::now() + pause;  // it still waits in the backlog, and would be told again at once
    return;
  }
  limit_writes(connection.get());
  const auto peer = peer_of(connection.get());
  if (!peer || (peer->uid != 0 && peer->uid != ::geteuid())) {
    if (peer) log(LogLevel::warn, "control", "refused process {} of user {}", peer->pid, peer->uid);
    [[maybe_unused]] const auto sent = send_answer(
        connection.get(), fail(ErrorKind::unsupported, "only root and the proxy's own user may ask the proxy"));
    return;
  }
  clients_.push_back(
      {.connection = std::move(connection), .deadline = Clock::now() + patience_with_client, .request = {}});
}

// A client sends the next request after it has the answer to the one before.
void Server::read_request(Client& client) {
  std::array<char, longest_request> bytes;
  const auto size = ::recv(client.connection.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    client.over = true;
    return;
  }
  client.request.append(bytes.data(), static_cast<std::size_t>(size));
  const auto end = client.request.find('\n');
  if (end == std::string::npos) {
    client.over = client.request.size() > longest_request;
    return;
  }
  const std::string request = client.request.substr(0, end);
  client.request.erase(0, end + 1);
  client.deadline = Clock::now() + patience_with_client;
  answer(client, request);
}

void Server::answer(Client& client, std::string_view request) {
  if (request == "listeners") return give_listeners(client);
  if (request == "release") return release(client);
  const std::array<std::pair<std::string_view, const std::function<Result<std::string>()>*>, 5> known{
      {{"reload", &requests_.reload},
       {"status", &requests_.status},
       {"stop", &requests_.stop},
       {"drain", &requests_.drain},
       {"abort", &requests_.abort}}};
  const auto* const found = std::ranges::find(known, request, [](const auto& one) { return one.first; });
  Result<std::string> result =
      fail(ErrorKind::usage, fmt::format("\"{}\": expected reload, status, stop, drain or abort", request));
  if (found != known.end() && *found->second) result = (*found->second)();
  client.over = !send_answer(client.connection.get(), result);
}

void Server::give_listeners(Client& client) {
  auto sockets = requests_.listeners();
  if (!sockets) {
    client.over = !send_answer(client.connection.get(), std::unexpected(sockets.error()));
    return;
  }
  client.is_successor = true;
  client.deadline = Clock::now() + patience_with_successor;
  Result<void> sent = send_answer(client.connection.get(), std::to_string(sockets->size()));
  for (const ListeningSocket& socket : *sockets)
    if (sent) sent = send_descriptor(client.connection.get(), socket.fd.get());
  if (sent) return;
  log(LogLevel::error, "control", "listeners could not be handed over: {}", sent.error().text());
  client.over = true;
}

void Server::release(Client& client) {
  if (!client.is_successor) {
    client.over =
        !send_answer(client.connection.get(), fail(ErrorKind::usage, "\"release\": expected listeners before"));
    return;
  }
  requests_.handed_over();
  socket_.close();
  client.is_successor = false;
  client.over = true;
  if (const auto sent = send_answer(client.connection.get(), std::string("released")); !sent)
    log(LogLevel::warn, "control", "the successor was not told that it may go on: {}", sent.error().text());
}

// It may have taken the path of the control socket.
void Server::successor_failed() {
  log(LogLevel::warn, "control", "the successor ended before it took over; this proxy goes on");
  if (socket_.has_path()) return;
  auto again = ControlSocket::bind(socket_.path());
  if (again)
    socket_ = std::move(*again);
  else
    log(LogLevel::error, "control", "requests are not heard any more: {}", again.error().text());
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::start(ControlSocket socket, ControlRequests requests) {
  Fd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) return fail_errno("eventfd");
  return std::make_unique<Server>(std::move(socket), std::move(requests), std::move(wake));
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& path, ControlRequests requests) {
  auto socket = ControlSocket::bind(path);
  if (!socket) return std::unexpected(socket.error());
  return start(std::move(*socket), std::move(requests));
}

}  // namespace sonde::proxy
