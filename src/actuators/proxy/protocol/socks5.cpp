// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/protocol/socks5.hpp"

#include <arpa/inet.h>

#include <array>
#include <string_view>
#include <utility>

namespace sonde::proxy {
namespace {

constexpr std::uint8_t version = 5;
constexpr std::uint8_t method_none = 0;
constexpr std::uint8_t method_password = 2;
constexpr std::uint8_t method_refused = 0xff;
constexpr std::uint8_t password_version = 1;  // RFC 1929 2
constexpr std::uint8_t command_connect = 1;
constexpr std::uint8_t address_ipv4 = 1;
constexpr std::uint8_t address_name = 3;
constexpr std::uint8_t address_ipv6 = 4;
constexpr std::size_t most_of_string = 255;
constexpr std::size_t reply_header = 4;

// RFC 1928 6.
constexpr std::array<std::string_view, 9> refusals = {
    "",
    "general failure",
    "connection not allowed by ruleset",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "TTL expired",
    "command not supported",
    "address type not supported",
};

void append(std::vector<std::uint8_t>& out, std::string_view text) { out.insert(out.end(), text.begin(), text.end()); }

void append_counted(std::vector<std::uint8_t>& out, std::string_view text) {
  out.push_back(static_cast<std::uint8_t>(text.size()));
  append(out, text);
}

void append_host(std::vector<std::uint8_t>& out, const std::string& host) {
  std::array<std::uint8_t, 16> address{};
  if (::inet_pton(AF_INET, host.c_str(), address.data()) == 1) {
    out.push_back(address_ipv4);
    out.insert(out.end(), address.begin(), address.begin() + 4);
  } else if (::inet_pton(AF_INET6, host.c_str(), address.data()) == 1) {
    out.push_back(address_ipv6);
    out.insert(out.end(), address.begin(), address.end());
  } else {
    out.push_back(address_name);
    append_counted(out, host);
  }
}

// Of the address that the server connects from; 0: not known yet, -1: no such kind.
int address_size(const std::vector<std::uint8_t>& reply) {
  switch (reply[3]) {
    case address_ipv4: return 4;
    case address_ipv6: return 16;
    case address_name: return reply.size() > reply_header ? 1 + reply[reply_header] : 0;
    default: return -1;
  }
}

}  // namespace

Socks5Client::Socks5Client(ProxySocks5 server, std::string host, std::uint16_t port)
    : server_(std::move(server)), host_(std::move(host)), port_(port) {}

Socks5State Socks5Client::step(std::span<const std::uint8_t> answer) {
  using Read = Socks5State (Socks5Client::*)();
  static constexpr Read readers[] = {&Socks5Client::greet, &Socks5Client::read_method,
                                     &Socks5Client::read_authentication, &Socks5Client::read_reply};
  out_.clear();
  consumed_ = 0;
  if (stage_ == Stage::over) return error_.empty() ? Socks5State::connected : Socks5State::failed;
  const std::size_t before = answer_.size();
  answer_.insert(answer_.end(), answer.begin(), answer.end());
  const Socks5State state = (this->*readers[std::to_underlying(stage_)])();
  if (state == Socks5State::needs_more || state == Socks5State::failed) {
    consumed_ = answer.size();
    return state;
  }
  // What is in answer_ from earlier calls was not enough: the answer ends within these bytes.
  consumed_ = answer_size_ - before;
  if (state == Socks5State::send && consumed_ < answer.size()) return fail("the server answers before it is asked");
  answer_.clear();
  answer_size_ = 0;
  return state;
}

Socks5State Socks5Client::greet() {
  if (host_.empty() || host_.size() > most_of_string) return fail("the name of the host has not 1 to 255 bytes");
  if (server_.username.size() > most_of_string) return fail("the user name has more than 255 bytes");
  if (server_.password.size() > most_of_string) return fail("the password has more than 255 bytes");
  if (server_.username.empty()) {
    out_ = {version, 1, method_none};
  } else {
    out_ = {version, 2, method_none, method_password};
  }
  stage_ = Stage::method;
  return Socks5State::send;
}

Socks5State Socks5Client::read_method() {
  if (!answer_.empty() && answer_[0] != version) return fail("the server does not speak SOCKS5");
  if (answer_.size() < 2) return Socks5State::needs_more;
  answer_size_ = 2;
  const std::uint8_t method = answer_[1];
  if (method == method_none) return ask();
  if (method == method_refused) {
    return fail(server_.username.empty() ? "the server wants authentication" : "the server takes no password");
  }
  if (method != method_password || server_.username.empty()) {
    return fail("the server chose an authentication method that was not offered");
  }
  out_ = {password_version};
  append_counted(out_, server_.username);
  append_counted(out_, server_.password);
  stage_ = Stage::authentication;
  return Socks5State::send;
}

// The version of this answer is not looked at: some servers give 5.
Socks5State Socks5Client::read_authentication() {
  if (answer_.size() < 2) return Socks5State::needs_more;
  answer_size_ = 2;
  return answer_[1] == 0 ? ask() : fail("the server refuses user name and password");
}

Socks5State Socks5Client::ask() {
  out_ = {version, command_connect, 0};
  append_host(out_, host_);
  out_.push_back(static_cast<std::uint8_t>(port_ >> 8));
  out_.push_back(static_cast<std::uint8_t>(port_));
  stage_ = Stage::reply;
  return Socks5State::send;
}

Socks5State Socks5Client::read_reply() {
  if (!answer_.empty() && answer_[0] != version) return fail("the server's reply is not of SOCKS5");
  if (answer_.size() < 2) return Socks5State::needs_more;
  // Servers may end a refusal here.
  if (const std::uint8_t code = answer_[1]; code != 0) {
    return fail("the server refuses: " +
                (code < refusals.size() ? std::string(refusals[code]) : "code " + std::to_string(code)));
  }
  if (answer_.size() < reply_header) return Socks5State::needs_more;
  const int size = address_size(answer_);
  if (size < 0) return fail("the server's reply has an address of an unknown type");
  answer_size_ = reply_header + static_cast<std::size_t>(size) + 2;
  if (size == 0 || answer_.size() < answer_size_) return Socks5State::needs_more;
  stage_ = Stage::over;
  return Socks5State::connected;
}

Socks5State Socks5Client::fail(std::string why) {
  error_ = std::move(why);
  stage_ = Stage::over;
  out_.clear();
  return Socks5State::failed;
}

}  // namespace sonde::proxy
