// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "decode/dns.hpp"

namespace {

void decode(const std::uint8_t* data, std::size_t size, sonde::decode::DnsTransport transport) {
  const auto message = sonde::decode::decode_dns({data, size}, transport);
  if (!message) return;
  // The lists never hold more than the header promised.
  if (message->questions.size() > message->question_count || message->answers.size() > message->answer_count) {
    __builtin_trap();
  }
  if (sonde::decode::to_text(*message, "DNS").empty()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  decode(data, size, sonde::decode::DnsTransport::udp);
  decode(data, size, sonde::decode::DnsTransport::tcp);
  return 0;
}
