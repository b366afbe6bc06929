// SPDX-License-Identifier: Apache-2.0
// A name server of the test on loopback, over UDP and TCP, in a thread of its own.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "dns_message.hpp"

namespace sonde::proxy {

struct DnsQuery {
  std::string name;
  std::uint16_t type = 0;
  bool tcp = false;
};

/// Name, type and id of the parts are filled in from the question.
struct DnsReply {
  DnsParts parts{};
  std::chrono::milliseconds delay{0};  ///< over UDP
};

class DnsServer {
 public:
  /// Nothing: the question is not answered.
  using Handler = std::function<std::optional<DnsReply>(const DnsQuery&)>;

  /// Port 0: any.
  explicit DnsServer(Handler handler, const char* address = "127.0.0.1", std::uint16_t port = 0);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;

  /// "127.0.0.1:12345", "[::1]:12345"
  [[nodiscard]] std::string text() const;
  /// All questions so far: "A www.example", "AAAA www.example over TCP".
  [[nodiscard]] std::vector<std::string> questions() const;
  [[nodiscard]] std::size_t count() const { return questions().size(); }

 private:
  struct Later {
    std::chrono::steady_clock::time_point when;
    std::vector<std::uint8_t> to;  ///< socket address
    Buffer message;
  };
  bool bind_both(const char* address, std::uint16_t port);
  void run();
  void answer_udp();
  void answer_tcp();
  void send_due();
  std::optional<DnsReply> reply_to(const Buffer& question, bool tcp);

  Handler handler_;
  Fd udp_;
  Fd tcp_;
  std::string text_;
  std::vector<Later> later_;
  mutable std::mutex mutex_;
  std::vector<std::string> questions_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace sonde::proxy
