// SPDX-License-Identifier: Apache-2.0
// A proxy between three hosts whose connections take the wire.
#pragma once
#include <cstddef>
#include <string>

#include "conversation.hpp"
#include "exchange.hpp"
#include "wired_hosts.hpp"

namespace sonde::test {

struct WireOfHosts {
  bool client_ipv6 = false, server_ipv6 = false;
  Json more = Json::object();                      ///< of the configuration
  std::function<void(int)> prepare_listener = {};  ///< of the server's
};

class OnTheWire {
 public:
  explicit OnTheWire(const WiredHosts& hosts, const WireOfHosts& options = {});

  /// One that has talked, and has been handed over. Fails the test if it does not come to that.
  Conversation joined(const Meeting& meeting = {});
  /// One that has talked, and stays with the relay.
  Conversation relayed(const Meeting& meeting = {});
  /// The last line of the log says how it ended, and what its ends have sent; nothing of it is left at the proxy.
  void expect_end(const Conversation& conversation, const std::string& end, const std::string& path = "wire");
  void expect_nothing_left();
  /// Connections on which both sides send without pause. All is whole.
  Exchanged exchange(std::size_t connections, std::size_t at_once, std::uint64_t least, std::uint64_t most);

  /// Another proxy; the one before must have ended.
  void start_anew();

  [[nodiscard]] Proxied& proxy() { return *proxy_; }
  [[nodiscard]] const Listening& listening() const { return listening_; }

 private:
  const WiredHosts& hosts_;
  WireOfHosts options_;
  Endpoint server_at_;
  Listening listening_;
  std::unique_ptr<Proxied> proxy_;
  std::size_t ended_ = 0;
};

/// TCP sockets of a host that are neither listening nor closed, without TIME-WAIT; and those in TIME-WAIT.
std::string open_sockets(const NetworkNamespace& where);
std::string waiting_sockets(const NetworkNamespace& where);

}  // namespace sonde::test
