// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/epoll.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.hpp"

namespace sonde::bench {

using Clock = std::chrono::steady_clock;

/// Ends the program with the system's error if `good` is false.
void require(bool good, const char* what);
/// The same with words of ours.
[[noreturn]] void fail(const std::string& what);

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};
/// "198.18.0.1:9000" or "[2001:db8::1]:9000".
[[nodiscard]] Address address_of(const std::string& text);

/// What the server does after the ClientHello, named by the byte behind it.
enum class Mode : char {
  echo = 'E',      ///< what arrives goes back
  source = 'D',    ///< sends until the client ends
  sink = 'U',      ///< reads, and counts in the file of --counter
  one_shot = 'C',  ///< answers `answer_bytes` and closes
  page = 'P',      ///< answers `page_bytes` and closes
};
constexpr std::size_t answer_bytes = 200;
constexpr std::size_t page_bytes = 1024;
constexpr std::size_t message_bytes = 64;       ///< of round trips
constexpr std::size_t chunk_bytes = 128 << 10;  ///< a send() and recv() of bulk data, as iperf3 does

/// Blocking, TCP_NODELAY.
[[nodiscard]] Fd connect_to(const Address& address);
/// Connects and sends a ClientHello and the mode.
[[nodiscard]] Fd open_connection(const Address& address, std::string_view hello, Mode mode);
void set_nonblocking(int fd);

class Poll {
 public:
  Poll();
  void add(int fd, std::uint32_t events, std::uint64_t data);
  void change(int fd, std::uint32_t events, std::uint64_t data);
  /// Fills `events`; the number of them.
  int wait(epoll_event* events, int size, std::chrono::nanoseconds timeout) const;

 private:
  Fd fd_;
};

}  // namespace sonde::bench
