// SPDX-License-Identifier: Apache-2.0
// Questions to name servers through c-ares, whose sockets and timeouts are the loop's.
#pragma once
#include <ares.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "actuators/proxy/loop/loop.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

class DnsChannel : private Waker {
 public:
  struct Settings {
    std::vector<Endpoint> servers;  ///< port 0: 53; none: those of resolv_conf
    std::string resolv_conf;
    std::chrono::milliseconds timeout{5000};  ///< of a question to one server, all tries together
  };
  /// What came: the message, or an error of c-ares (ARES_ETIMEOUT ...). The message may be negative, or say that the
  /// last server that was tried has failed.
  using Done = std::function<void(int status, std::span<const std::uint8_t> message)>;

  [[nodiscard]] static Result<std::unique_ptr<DnsChannel>> make(Loop& loop, const Settings& settings);
  /// Questions that are open are forgotten.
  ~DnsChannel() override;

  /// `done` is called later, not before this returns. It may ask, but not destroy the channel. One question for the
  /// same name and type at a time.
  void ask(const std::string& name, std::uint16_t type, Done done);
  /// No question is open, and nobody is being told: it may be destroyed.
  [[nodiscard]] bool is_idle() const { return open_.empty() && ended_.empty() && !telling_; }

 private:
  struct Socket {
    Channel channel;
    bool wants_write = false;
  };
  struct Question {
    DnsChannel* channel;
    std::string key;
    Done done;
  };
  struct Ended {
    Done done;
    int status;
    std::vector<std::uint8_t> message;
  };

  explicit DnsChannel(Loop& loop);
  Result<void> start(const Settings& settings);
  Result<void> set_servers(const std::vector<Endpoint>& servers);
  void wake(Channel& channel) override;
  void handle(int fd);
  void handle_pending_writes();
  void set_timer();
  void tell();
  [[nodiscard]] Socket* find(int fd);
  void remember_failure(std::span<const std::uint8_t> message);

  static void answered(void* open_question, int status, int timeouts, unsigned char* message, int size);
  static void state_changed(void* channel, ares_socket_t fd, int readable, int writable);
  static ares_socket_t open_socket(int family, int type, int protocol, void* channel);
  static int close_socket(ares_socket_t fd, void* channel);
  static int connect_socket(ares_socket_t fd, const sockaddr* address, ares_socklen_t size, void* channel);
  static ares_ssize_t receive(ares_socket_t fd, void* bytes, size_t size, int flags, sockaddr* from,
                              ares_socklen_t* from_size, void* channel);
  static ares_ssize_t send(ares_socket_t fd, const iovec* parts, int count, void* channel);

  Loop& loop_;
  ares_channel ares_ = nullptr;
  Timer timer_;  ///< c-ares wants to try again
  Timer tell_;   ///< something has ended within ask()
  std::unordered_map<int, std::unique_ptr<Socket>> sockets_;
  std::vector<Ended> ended_;
  /// By name and type: the last answer that c-ares does not give because the server has failed.
  std::unordered_map<std::string, std::vector<std::uint8_t>> open_;
  bool telling_ = false;
  bool progress_ = false;  ///< a socket was read or written
};

}  // namespace sonde::proxy
