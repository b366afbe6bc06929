// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/self_test.hpp"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "actuators/proxy/forward/trial_proxy.hpp"
#include "base/fd.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

using Failure = std::optional<std::string>;  ///< nothing: it went well
using Bytes = std::vector<std::uint8_t>;

constexpr std::chrono::milliseconds patience{2000};
constexpr std::size_t exchange_size = 1 << 20;
constexpr std::size_t chunk_at_most = 48 << 10;
constexpr std::size_t last_words_size = 64 << 10;
constexpr std::size_t stalled_at_most = 64 << 20;
constexpr std::chrono::milliseconds stalled_for{20};
constexpr int silent_rounds = 10;  // of stalled_for
// Of the proxy's sockets. All that is held back has room in the first, and is many reads' worth; in the second there is
// room for several writes once it can be written to again.
constexpr int receive_buffer = 4 << 20;
constexpr int send_buffer = 1 << 19;
constexpr std::size_t held_back_size = 4 << 20;
constexpr Endpoint loopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, 0};

/// Bytes that no other place of the stream has: xorshift64, from a seed.
class Pattern {
 public:
  explicit Pattern(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}
  void fill(std::span<std::uint8_t> bytes) {
    for (auto& byte : bytes) byte = next();
  }
  [[nodiscard]] bool matches(std::span<const std::uint8_t> bytes) {
    return std::ranges::all_of(bytes, [this](std::uint8_t byte) { return byte == next(); });
  }
  /// 1 to chunk_at_most, small ones as often as large ones.
  std::size_t size() {
    step();
    return 1 + (state_ >> 8) % (chunk_at_most >> ((state_ >> 40) % 12));
  }

 private:
  void step() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
  }
  std::uint8_t next() {
    if (left_ == 0) {
      step();
      word_ = state_;
      left_ = 8;
    }
    --left_;
    const auto byte = static_cast<std::uint8_t>(word_);
    word_ >>= 8;
    return byte;
  }
  std::uint64_t state_;
  std::uint64_t word_ = 0;
  int left_ = 0;
};

std::string why(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

void send_at_once(int fd) {
  const int one = 1;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/// False: nothing happened for too long.
bool wait_for(int fd, short events) {
  pollfd waiting{fd, events, 0};
  return ::poll(&waiting, 1, static_cast<int>(patience.count())) > 0;
}

ssize_t receive(int fd, std::span<std::uint8_t> bytes) {
  ssize_t got = -1;
  do {
    if (!wait_for(fd, POLLIN)) {
      errno = ETIMEDOUT;
      return -1;
    }
    got = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
  } while (got < 0 && errno == EAGAIN);
  return got;
}

Failure send_all(int fd, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return why("send");
    if (sent < 0 && !wait_for(fd, POLLOUT)) return "stalls: nothing can be sent";
    if (sent > 0) bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return {};
}

Failure send_pattern(int fd, Pattern pattern, std::size_t size) {
  Bytes chunk(chunk_at_most);
  Pattern sizes(size);
  while (size > 0) {
    const std::span now(chunk.data(), std::min(size, sizes.size()));
    pattern.fill(now);
    if (auto failure = send_all(fd, now)) return failure;
    size -= now.size();
  }
  return {};
}

/// Exactly `size` bytes of the pattern; with `end`, then the end of the stream.
Failure receive_pattern(int fd, Pattern& pattern, std::size_t size, bool end) {
  Bytes chunk(std::size_t{128} << 10);
  while (size > 0) {
    const auto got = receive(fd, {chunk.data(), std::min(size, chunk.size())});
    if (got < 0) return errno == ETIMEDOUT ? "stalls: nothing arrives" : why("receive");
    if (got == 0) return "loses: the stream ends " + std::to_string(size) + " bytes too early";
    const std::span now(chunk.data(), static_cast<std::size_t>(got));
    if (!pattern.matches(now)) return "corrupts: what arrives is not what was sent";
    size -= now.size();
  }
  if (!end) return {};
  const auto got = receive(fd, chunk);
  if (got > 0) return "corrupts: more arrives than was sent";
  if (got < 0) return errno == ETIMEDOUT ? "stalls: the end of the stream does not arrive" : why("end of stream");
  return {};
}

bool is_reachable(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int error = 0;
  socklen_t size = sizeof(error);
  return (::connect(fd.get(), address.get(), address.size()) == 0 || errno == EINPROGRESS) &&
         wait_for(fd.get(), POLLOUT) && ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

/// A client, and the backend's socket that the proxy has joined it with.
struct Joined {
  Fd client;
  Fd backend;
};

class Trial {
 public:
  /// Not even begun: why.
  Failure begin(KernelPath* path, bool splice);
  Failure run();

 private:
  Failure join(Joined& joined, const KernelPath* path);
  Failure exchange();
  Failure reset();
  Failure stall();
  Failure hold_back();

  KernelPath* path_ = nullptr;
  Fd listener_;
  std::unique_ptr<TrialProxy> proxy_;
};

Failure Trial::begin(KernelPath* path, bool splice) {
  path_ = path;
  const SocketAddress address(loopback);
  listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener_.get(), address.get(), address.size()) != 0 || ::listen(listener_.get(), 8) != 0)
    return std::string("cannot listen at 127.0.0.1: ") + std::strerror(errno);
  if (!is_reachable(local_endpoint(listener_.get()))) return "127.0.0.1 cannot be reached";
  const Fd unused(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  auto proxy = TrialProxy::start({.listen = loopback,
                                  .backend = local_endpoint(listener_.get()),
                                  .path = path,
                                  .splice = splice,
                                  .receive_buffer = receive_buffer,
                                  .send_buffer = send_buffer,
                                  .prefix = {}});
  if (!proxy) return proxy.error().text();
  proxy_ = std::move(*proxy);
  return {};
}

// They talk in turn, as in a TLS handshake, until the path carries what they say.
Failure Trial::join(Joined& joined, const KernelPath* path) {
  const SocketAddress address(proxy_->address());
  joined.client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(joined.client.get(), address.get(), address.size()) != 0 && errno != EINPROGRESS) return why("connect");
  if (!wait_for(joined.client.get(), POLLOUT)) return "stalls: the proxy is not connected to";
  send_at_once(joined.client.get());
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (std::uint64_t turn = 1;; ++turn) {
    if (auto failure = send_pattern(joined.client.get(), Pattern(turn), 200)) return failure;
    if (!joined.backend) {
      if (!wait_for(listener_.get(), POLLIN)) return "stalls: the backend is not connected to";
      joined.backend.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!joined.backend) return why("accept");
      send_at_once(joined.backend.get());
    }
    Pattern forth(turn);
    if (auto failure = receive_pattern(joined.backend.get(), forth, 200, false)) return failure;
    if (auto failure = send_pattern(joined.backend.get(), Pattern(turn + 1000), 300)) return failure;
    Pattern back(turn + 1000);
    if (auto failure = receive_pattern(joined.client.get(), back, 300, false)) return failure;
    if (turn < 3) continue;
    if (path == nullptr) return {};
    const auto carried = proxy_->carried();
    if (carried.to_upstream != 0 && carried.to_client != 0) return {};
    if (std::chrono::steady_clock::now() > deadline) return "carries nothing: all of it goes through the relay";
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

Failure Trial::exchange() {
  Joined joined;
  if (auto failure = join(joined, path_)) return failure;
  const int client = joined.client.get();
  const int backend = joined.backend.get();
  Failure failures[4];
  {
    const std::jthread forth([&] {
      failures[0] = send_pattern(client, Pattern(21), exchange_size);
      ::shutdown(client, SHUT_WR);
    });
    const std::jthread back([&] { failures[1] = send_pattern(backend, Pattern(22), exchange_size); });
    const std::jthread at_client([&] {
      Pattern pattern(22);
      failures[2] = receive_pattern(client, pattern, exchange_size, false);
    });
    Pattern pattern(21);
    failures[3] = receive_pattern(backend, pattern, exchange_size, true);
  }
  // What arrives wrong is the cause; the rest may follow from it.
  for (const auto& failure : failures)
    if (failure && (failure->starts_with("corrupts") || failure->starts_with("loses"))) return failure;
  for (const auto& failure : failures)
    if (failure) return failure;
  // The client has ended its stream; the backend goes on, and closes behind its last words.
  if (auto failure = send_pattern(backend, Pattern(23), last_words_size)) return failure;
  joined.backend.reset();
  Pattern last_words(23);
  return receive_pattern(client, last_words, last_words_size, true);
}

Failure Trial::reset() {
  Joined joined;
  if (auto failure = join(joined, path_)) return failure;
  const linger at_once{1, 0};
  (void)::setsockopt(joined.client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  joined.client.reset();
  std::uint8_t byte = 0;
  const auto got = receive(joined.backend.get(), {&byte, 1});
  if (got > 0) return "corrupts: more arrives than was sent";
  if (got == 0) return "it arrives as an end of stream";
  return errno == ECONNRESET ? Failure() : why("it does not arrive");
}

// The sender has to wait when the reader does, and all that it could send arrives once the reader goes on.
Failure Trial::stall() {
  Joined joined;
  if (auto failure = join(joined, path_)) return failure;
  Bytes chunk(std::size_t{64} << 10);
  Pattern sent(31);
  std::size_t size = 0;
  std::size_t rest = 0;  // of the chunk
  while (true) {
    if (rest == 0) {
      sent.fill(chunk);
      rest = chunk.size();
    }
    const auto done =
        ::send(joined.client.get(), chunk.data() + chunk.size() - rest, rest, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done >= 0) {
      size += static_cast<std::size_t>(done);
      rest -= static_cast<std::size_t>(done);
      if (size > stalled_at_most) return "a reader that stalls does not stop the sender";
      continue;
    }
    if (errno != EAGAIN) return why("send");
    pollfd writable{joined.client.get(), POLLOUT, 0};
    if (::poll(&writable, 1, static_cast<int>(stalled_for.count())) == 0) break;
  }
  ::shutdown(joined.client.get(), SHUT_WR);
  Pattern received(31);
  return receive_pattern(joined.backend.get(), received, size, true);
}

// The sender has said all it has to say, and the reader goes on: no segment comes that could make an event, so that a
// path which has not emptied the proxy's socket at the first has no second.
Failure Trial::hold_back() {
  Joined joined;
  if (auto failure = join(joined, path_)) return failure;
  const int client = joined.client.get();
  Failure sent;
  {
    std::jthread sending([&] { sent = send_pattern(client, Pattern(41), held_back_size); });
    int queued = 1;
    for (int i = 0; i < silent_rounds && queued != 0; ++i) {
      std::this_thread::sleep_for(stalled_for);
      ::ioctl(client, SIOCOUTQ, &queued);
    }
    Pattern received(41);
    if (auto failure = receive_pattern(joined.backend.get(), received, held_back_size, false)) return failure;
  }
  return sent;
}

Failure Trial::run() {
  const std::pair<const char*, Failure (Trial::*)()> steps[] = {
      {"random sizes both ways", &Trial::exchange},
      {"reset", &Trial::reset},
      {"stalled reader", &Trial::stall},
      {"stalled reader of a silent sender", &Trial::hold_back}};
  for (const auto& [name, step] : steps)
    if (const auto failure = (this->*step)()) return std::string(name) + ": " + *failure;
  return {};
}

}  // namespace

SelfTestResult test_path(KernelPath* path, bool splice) {
  using enum SelfTestResult::Outcome;
  Failure failure;
  Trial trial;
  if ((failure = trial.begin(path, splice))) return {untried, "not tried: " + *failure};
  failure = trial.run();
  if (path != nullptr)
    if (auto done = path->set_listeners({}); !done && !failure) failure = done.error().text();
  if (failure) return {failed, "self-test: " + *failure};
  return {passed, "self-test: 1 MiB each way, half-close, reset, stalled reader"};
}

}  // namespace sonde::proxy
