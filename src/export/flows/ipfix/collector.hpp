// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <netdb.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::exporter::ipfix {

struct HostPort {
  std::string host;
  std::string port;
};
/// "collector.example:4739", "192.0.2.1:4739", "[2001:db8::1]:4739". ErrorKind::usage names the word.
[[nodiscard]] Result<HostPort> parse_collector(const std::string& word);

/// A collector that is reached by UDP.
class Collector {
 public:
  /// Looks the name up, once. A name that does not exist is an error; a collector that cannot be reached now is none.
  [[nodiscard]] static Result<Collector> open(const std::string& word);

  struct Sent {
    bool ok = false;
    bool refused_before = false;  ///< ICMP says that an earlier datagram found nobody
    int code = 0;                 ///< errno of what failed
  };
  /// Never blocks for long: a full socket buffer is a failure after 100 ms.
  [[nodiscard]] Sent send(std::span<const std::uint8_t> bytes);
  /// Did anything come back that says that the last datagram found nobody? Waits for it so long.
  [[nodiscard]] bool was_refused(int milliseconds);
  /// Largest datagram that needs no fragments on the way, as far as it is known; for Ethernet before it is.
  [[nodiscard]] std::size_t payload_size() const;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  Result<void> use(const addrinfo& address);
  [[nodiscard]] bool connect();

  std::string name_;
  Fd socket_;
  sockaddr_storage address_{};
  socklen_t address_size_ = 0;
  bool connected_ = false;
};

}  // namespace sonde::exporter::ipfix
