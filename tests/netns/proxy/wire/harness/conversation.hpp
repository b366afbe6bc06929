// SPDX-License-Identifier: Apache-2.0
// One connection through the proxy, step by step.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "sonde/endpoint.hpp"
#include "wired_hosts.hpp"

namespace sonde::test {

/// One end. What it sends and receives are streams of stream_bytes.hpp. Calls wait for ten seconds at most.
struct Talker {
  Fd fd = {};
  std::uint64_t seed_out = 0, seed_in = 0;
  std::uint64_t sent = 0, received = 0;

  /// False: an error, or it does not go.
  bool send(std::uint64_t size);
  /// One byte, urgent (RFC 9293 section 3.8.5).
  bool send_urgent();
  /// So many bytes have come, and are right.
  bool receive(std::uint64_t size);
  /// What comes next, some of it. True: the stream has ended, and all was right.
  bool receive_some();
  /// All that comes until the end of the stream, which comes after so many bytes in all.
  bool receive_to_end(std::uint64_t total);
  void shut() const;
  /// By a reset.
  void abort();
  /// 0: the stream ends here; ECONNRESET ...; -1: something else came, or nothing.
  int ending();
};

/// Before it connects: the sequence number of its SYN.
void begin_at(int fd, std::uint32_t sequence);

/// So many bytes go from one end to the other.
bool pass(Talker& from, Talker& to, std::uint64_t size);

class Listening {
 public:
  Listening(const NetworkNamespace& where, const Endpoint& at, const std::function<void(int)>& prepare = {});
  [[nodiscard]] Fd accept() const;
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

struct Meeting {
  Endpoint proxy = endpoint_at(proxy_ipv4, proxy_port);
  std::optional<Endpoint> from = {};             ///< the client's own end
  std::function<void(int)> prepare_client = {};  ///< before it connects
  std::string name = "name.test";
};

struct Conversation {
  Talker client, server;
  Endpoint client_end;      ///< of its socket
  std::uint64_t hello = 0;  ///< bytes of the ClientHello

  /// So many bytes each way.
  bool talk(std::uint64_t size = 1000);
};

/// Connects; the server has read the hello. Throws when that fails.
Conversation meet(const NetworkNamespace& client, const Listening& server, const Meeting& meeting = {});

}  // namespace sonde::test
