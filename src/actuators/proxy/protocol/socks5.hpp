// SPDX-License-Identifier: Apache-2.0
// The client's side of SOCKS5 (RFC 1928, RFC 1929): CONNECT to a name that the server resolves. Bytes in, bytes out.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sonde/proxy.hpp"

namespace sonde::proxy {

enum class Socks5State : std::uint8_t { needs_more, send, connected, failed };

/// Ask step() what to do: send out(), then give what the server answers.
class Socks5Client {
 public:
  /// `host`: a name of at most 255 bytes or an address; with a user name of at most 255 bytes it is offered.
  Socks5Client(const ProxySocks5& server, const std::string& host, std::uint16_t port);

  /// `answer`: bytes that have come since the last call's; consumed() of them were read. The first call has none.
  Socks5State step(std::span<const std::uint8_t> answer);
  [[nodiscard]] const std::vector<std::uint8_t>& out() const { return out_; }
  [[nodiscard]] std::size_t consumed() const { return consumed_; }
  /// "the server refuses: connection not allowed by ruleset" ...; when failed.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  enum class Stage : std::uint8_t { greeting, method, authentication, reply, over };
  ProxySocks5 server_;
  std::string host_;
  std::uint16_t port_;
  Stage stage_ = Stage::greeting;
  std::vector<std::uint8_t> out_;
  std::size_t consumed_ = 0;
  std::string error_;
};

}  // namespace sonde::proxy
