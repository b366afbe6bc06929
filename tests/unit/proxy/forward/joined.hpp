// SPDX-License-Identifier: Apache-2.0
// A relay between two TCP connections over loopback, and peers that check what they get.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "actuators/proxy/forward/relay.hpp"
#include "base/fd.hpp"

namespace sonde::proxy::test {

using namespace std::chrono_literals;

/// Two ends of one connection, which block; `buffer`: SO_SNDBUF and SO_RCVBUF of both, 0: as the kernel has it.
std::pair<Fd, Fd> tcp_pair(int buffer = 0);
/// Closes with a reset.
void reset(Fd& fd);

struct JoinedOptions {
  RelayOptions relay;
  int buffer = 0;  ///< as of tcp_pair
  std::string first;
  std::unique_ptr<KernelRelay> kernel;
};

class Joined : public RelayObserver {
 public:
  explicit Joined(JoinedOptions options = {});
  ~Joined() override;

  /// Handles events until the condition holds; false when the time is up.
  bool run_until(const std::function<bool()>& condition, std::chrono::milliseconds patience = 20s);
  bool run_until_ended(std::chrono::milliseconds patience = 20s) {
    return run_until([this] { return result.has_value(); }, patience);
  }
  void run_for(std::chrono::milliseconds time);
  /// All that the peer has sent and the relay could pass on is there.
  void settle() { run_for(60ms); }

  void relay_ended(Relay& which, const RelayResult& how) override;

  std::unique_ptr<Loop> loop;
  std::unique_ptr<RelayPool> pool;
  Fd client;    ///< the client's own end
  Fd upstream;  ///< the upstream's own end
  int relay_client_fd = -1;
  int relay_upstream_fd = -1;
  std::unique_ptr<Relay> relay;
  std::optional<RelayResult> result;
  int told = 0;
  bool destroy_when_told = false;
};

/// What went through a socket.
struct Stream {
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0xcbf29ce484222325;  ///< FNV-1a
  int error = 0;                            ///< that ended it; 0: an orderly end
  void add(const std::uint8_t* data, std::size_t size);
  friend bool operator==(const Stream&, const Stream&) = default;
};

/// Sends random bytes in pieces of random sizes up to `most` with pauses now and then, and ends the stream.
Stream send_random(int fd, std::uint64_t bytes, std::uint64_t seed, std::size_t most = 200'000, bool pauses = true);
/// Reads to the end.
Stream receive(int fd, std::size_t most = 100'000);
/// What is there at once.
std::string receive_some(int fd);
void send_text(int fd, const std::string& text);

/// A peer beside the loop; joined by the destructor.
class Peer {
 public:
  explicit Peer(std::function<void()> script)
      : thread_([this, does = std::move(script)] {
          does();
          done_ = true;
        }) {}
  Peer(const Peer&) = delete;
  ~Peer() { thread_.join(); }
  [[nodiscard]] bool done() const { return done_; }

 private:
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace sonde::proxy::test
