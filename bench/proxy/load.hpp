// SPDX-License-Identifier: Apache-2.0
// The loads of `./dev bench proxy`. Each prints one line of JSON.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "proxy/sockets.hpp"

namespace sonde::bench {

struct LoadOptions {
  std::string target;  ///< ADDRESS:PORT
  std::string name = "www.bench.example";
  int connections = 8;
  double seconds = 1;
  double warm_up = 0.25;  ///< seconds before the measurement
  std::vector<int> pids;  ///< whose CPU time is asked for
  std::string counter;    ///< of the server: bytes that it received
  bool upload = false;
  std::size_t answer = 200;  ///< bytes of the answer of a short connection: 200 or 1024
  double rate = 10'000;      ///< requests a second of the open loop
};

/// A number in a file that two processes map.
[[nodiscard]] std::atomic<std::uint64_t>& shared_counter(const std::string& path);

/// Never returns.
void serve(const std::string& listen, const std::string& counter);
/// As much as goes through.
void bulk(const LoadOptions& options);
/// A message back and forth on every connection.
void round_trips(const LoadOptions& options);
/// Connections with a ClientHello, an answer and an end, so many at a time.
void short_connections(const LoadOptions& options);
/// Round trips that start when their time has come, whether or not those before have come back.
void open_loop(const LoadOptions& options);
/// Connections of two requests; the time to the first byte of either answer.
void first_bytes(const LoadOptions& options);
/// Connections that have exchanged a message and then do nothing, until standard input ends.
void idle(const LoadOptions& options);

}  // namespace sonde::bench
