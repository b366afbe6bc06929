// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/ask.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "actuators/proxy/process/control.hpp"
#include "actuators/proxy/process/control_wire.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 30s;  // a reload reads a file and resolves nothing

// Who may not ask is told so before he has asked, and then the request does not arrive any more.
Result<std::string> exchange(int connection, std::string_view request) {
  const auto sent = send_all(connection, fmt::format("{}\n", request));
  if (!sent && sent.error().code != EPIPE) return std::unexpected(sent.error());
  return read_answer(connection);
}

}  // namespace

Result<std::string> ask(const std::string& control, std::string_view request) {
  static constexpr std::array<std::string_view, 5> known{"reload", "status", "stop", "drain", "abort"};
  if (std::ranges::find(known, request) == known.end())
    return fail(ErrorKind::usage, fmt::format("\"{}\": expected reload, status, stop, drain or abort", request));
  auto connection = connect_to_control(control, patience);
  if (!connection) return no_proxy(control, connection.error());
  return exchange(connection->get(), request);
}

Result<HandOver> HandOver::ask(const std::string& path) {
  auto connection = connect_to_control(path, patience);
  if (!connection) return no_proxy(path, connection.error());
  const auto old = peer_of(connection->get());
  if (!old) return std::unexpected(old.error());
  const auto answer = exchange(connection->get(), "listeners");
  if (!answer) return std::unexpected(answer.error());
  std::size_t count = 0;
  std::from_chars(answer->data(), answer->data() + answer->size(), count);
  std::vector<ListeningSocket> sockets;
  for (std::size_t i = 0; i < count; ++i) {
    auto fd = read_descriptor(connection->get());
    if (!fd) return std::unexpected(fd.error());
    const Endpoint address = local_endpoint(fd->get());
    sockets.push_back({.address = address, .fd = std::move(*fd)});
  }
  return HandOver(std::move(*connection), std::move(sockets), old->pid);
}

Result<void> HandOver::release() {
  const auto answer = exchange(connection_.get(), "release");
  connection_.reset();
  if (!answer) return std::unexpected(answer.error());
  return {};
}

}  // namespace sonde::proxy
