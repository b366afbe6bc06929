// SPDX-License-Identifier: Apache-2.0
// A client and a backend on one host, with a small proxy between them whose path is the bypass.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actuators/proxy/bypass/bypass.hpp"
#include "actuators/proxy/forward/trial_proxy.hpp"
#include "base/fd.hpp"
#include "harness/netns.hpp"

namespace sonde::proxy::test {

inline constexpr Endpoint loopback_ipv4{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, 0};
inline constexpr Endpoint loopback_ipv6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0};

/// Waits until it holds; false: it has not for half a minute.
bool eventually(const std::function<bool()>& condition);

Fd listen_at(const Endpoint& endpoint);
/// Connected; does not block afterwards unless told so.
Fd connect_to(const Endpoint& endpoint, bool blocking = false);
Fd accept_from(const Fd& listener, bool blocking = false);

/// The bytes of a stream: byte i of stream `seed`.
std::uint8_t stream_byte(std::uint64_t seed, std::uint64_t i);
/// Sends bytes `from` to `to` of the stream, in random sizes. False: an error, or nothing went for ten seconds.
bool send_stream(int fd, std::uint64_t seed, std::uint64_t from, std::uint64_t to);
/// Bytes that arrived as they were sent, until `to`, the end of the stream, an error or ten seconds without any; one
/// that differs ends it with a value beyond `to`.
std::uint64_t receive_stream(int fd, std::uint64_t seed, std::uint64_t from, std::uint64_t to);
/// 0: the stream has ended; -1: something else came or nothing; else errno.
int receive_end(int fd);
void reset(Fd& socket);

/// The proxy. Everything in the namespace of the thread that makes it.
struct Bypassed {
  explicit Bypassed(const Endpoint& address = loopback_ipv4, std::vector<std::uint8_t> prefix = {});

  Fd listener;  ///< of the backend
  std::unique_ptr<Bypass> bypass;
  std::unique_ptr<TrialProxy> proxy;
};

struct Joined {
  Fd client;
  Fd backend;
  std::uint64_t to_backend = 0;  ///< bytes of stream 1 sent and received
  std::uint64_t to_client = 0;   ///< of stream 2
};

/// Connects, and lets both talk in turn until what they say is redirected (or, without `carried`, 5 times).
Joined join(const Bypassed& bypassed, bool carried = true);
/// One message each way.
bool talk(Joined& joined, std::uint64_t size = 200);

}  // namespace sonde::proxy::test
