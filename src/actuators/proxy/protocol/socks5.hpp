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
  /// `host`: a name of at most 255 bytes or an address. User name and password have at most 255 bytes each; they are
  /// offered if there is a user name. What is too long makes the first step() fail.
  Socks5Client(ProxySocks5 server, std::string host, std::uint16_t port);

  /// `answer`: bytes that have come since the last call's; consumed() of them were read: all but those that follow the
  /// last answer, which are the connection's own. The first call has none.
  Socks5State step(std::span<const std::uint8_t> answer);
  [[nodiscard]] const std::vector<std::uint8_t>& out() const { return out_; }
  [[nodiscard]] std::size_t consumed() const { return consumed_; }
  /// "the server refuses: connection not allowed by ruleset" ...; when failed.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  enum class Stage : std::uint8_t { greeting, method, authentication, reply, over };
  [[nodiscard]] Socks5State greet();
  [[nodiscard]] Socks5State read_method();
  [[nodiscard]] Socks5State read_authentication();
  [[nodiscard]] Socks5State read_reply();
  [[nodiscard]] Socks5State ask();
  [[nodiscard]] Socks5State fail(std::string why);

  ProxySocks5 server_;
  std::string host_;
  std::uint16_t port_;
  Stage stage_ = Stage::greeting;
  std::vector<std::uint8_t> answer_;  ///< to what was sent last, so far
  std::size_t answer_size_ = 0;       ///< of answer_: what belongs to the answer
  std::vector<std::uint8_t> out_;
  std::size_t consumed_ = 0;
  std::string error_;
};

}  // namespace sonde::proxy
