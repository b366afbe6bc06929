// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/answer.hpp"

#include <optional>
#include <string_view>

#include "actuators/proxy/protocol/hello.hpp"

namespace sonde::proxy {
namespace {

constexpr std::string_view http_answer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 37\r\nConnection: close\r\n\r\n"
    "This port speaks TLS, use https:// .\n";

struct Row {
  Refusal refusal;
  std::optional<TlsAlert> alert;
  RefusalCounters counters;
};

// Who is refused before a hello is there is not told anything: it may be no TLS client.
constexpr Row rows[] = {
    {Refusal::hello_timeout, {}, {.timeout = true}},
    {Refusal::hello_too_long, TlsAlert::record_overflow, {.parse_error = true}},
    {Refusal::hello_incomplete, {}, {.parse_error = true}},
    {Refusal::plain_http, {}, {.parse_error = true}},
    {Refusal::not_tls, {}, {.parse_error = true}},
    {Refusal::malformed_hello, TlsAlert::decode_error, {.parse_error = true}},
    {Refusal::no_server_name, TlsAlert::missing_extension, {.parse_error = true}},
    {Refusal::name_not_allowed, TlsAlert::unrecognized_name, {}},
    {Refusal::dns_failed, TlsAlert::internal_error, {.failed = true}},
    {Refusal::dns_timeout, TlsAlert::internal_error, {.failed = true, .timeout = true}},
    {Refusal::no_healthy_upstream, TlsAlert::internal_error, {.failed = true}},
    {Refusal::connect_failed, TlsAlert::internal_error, {.failed = true}},
    {Refusal::connect_timeout, TlsAlert::internal_error, {.failed = true, .timeout = true}},
    {Refusal::socks5_failed, TlsAlert::internal_error, {.failed = true, .socks5_error = true}},
};

const Row* find(Refusal refusal) {
  for (const auto& row : rows)
    if (row.refusal == refusal) return &row;
  return nullptr;
}

}  // namespace

std::vector<std::uint8_t> answer_of(Refusal refusal) {
  if (refusal == Refusal::plain_http) return {http_answer.begin(), http_answer.end()};
  const auto* row = find(refusal);
  if (!row || !row->alert) return {};
  const auto record = alert_record(*row->alert);
  return {record.begin(), record.end()};
}

RefusalCounters counters_of(Refusal refusal) {
  const auto* row = find(refusal);
  return row ? row->counters : RefusalCounters{};
}

}  // namespace sonde::proxy
