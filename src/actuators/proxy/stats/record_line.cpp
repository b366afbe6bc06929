// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/record_line.hpp"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "actuators/proxy/stats/words.hpp"

namespace sonde::proxy {
namespace {

bool is_plain(std::string_view text) {
  for (const char c : text)
    if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') return false;
  return true;
}

/// Members of an object, in their order.
class Members {
 public:
  void text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (is_plain(value))
      raw(name, "\"{}\"", value);
    else  // bytes that are no UTF-8 become U+FFFD
      raw(name, "{}", nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  void endpoint(std::string_view name, const Endpoint& value) {
    if (value != Endpoint{}) raw(name, "\"{}\"", value.text());
  }
  void number(std::string_view name, std::uint64_t value) { raw(name, "{}", value); }
  void milliseconds(std::string_view name, std::chrono::nanoseconds value) {
    if (value.count() > 0) raw(name, "{:.3f}", static_cast<double>(value.count()) / 1e6);
  }
  template <class... Args>
  void raw(std::string_view name, fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), "{}\"{}\":", out_.size() == 1 ? "" : ",", name);
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }
  [[nodiscard]] std::string line() {
    out_ += "}\n";
    return std::move(out_);
  }

 private:
  std::string out_ = "{";
};

}  // namespace

std::string record_line(const ConnectionRecord& record) {
  Members members;
  const bool refused = record.refusal != Refusal::none;
  members.text("time", time_text(record.accepted_wall_ns));
  members.endpoint("client", record.client);
  if (record.peer != record.client) members.endpoint("peer", record.peer);
  members.endpoint("listener", record.listener);
  members.text("server_name", record.server_name);
  members.text("alpn", record.alpn);
  members.text("ja4", record.ja4);
  members.text("route", record.route);
  members.text("upstream", record.upstream);
  members.endpoint("upstream_address", record.upstream_address);
  if (!refused) members.text("path", proxy_forwarding_name(record.path));
  members.number("bytes_received", record.bytes_received);
  members.number("bytes_sent", record.bytes_sent);
  members.number("bytes_by_kernel", record.bytes_by_kernel);
  members.milliseconds("hello_ms", record.hello);
  members.milliseconds("resolved_ms", record.resolved);
  members.milliseconds("connected_ms", record.connected);
  members.milliseconds("duration_ms", record.total);
  if (refused) members.text("refused", refusal_name(record.refusal));
  members.text("end", record.end);
  members.text("detail", record.detail);
  return members.line();
}

}  // namespace sonde::proxy
