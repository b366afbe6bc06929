// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/answer.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sonde::proxy {
namespace {

// RFC 8446 section 6: type 21, a version that every client takes, length 2, fatal (2), description.
TEST(Answer, AlertsAreFatalOnesOfTheRfc) {
  EXPECT_EQ(answer_of(Refusal::name_not_allowed), (std::vector<std::uint8_t>{21, 3, 1, 0, 2, 2, 112}));
  EXPECT_EQ(answer_of(Refusal::no_server_name), (std::vector<std::uint8_t>{21, 3, 1, 0, 2, 2, 109}));
  EXPECT_EQ(answer_of(Refusal::malformed_hello), (std::vector<std::uint8_t>{21, 3, 1, 0, 2, 2, 50}));
}

TEST(Answer, HttpIsToldInHttp) {
  const auto bytes = answer_of(Refusal::plain_http);
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_TRUE(text.starts_with("HTTP/1.1 400 "));
  const auto body = text.substr(text.find("\r\n\r\n") + 4);
  EXPECT_NE(text.find("Content-Length: " + std::to_string(body.size()) + "\r\n"), std::string::npos) << body.size();
}

TEST(Answer, WhoIsNotAllowedIsToldNothing) {
  EXPECT_TRUE(answer_of(Refusal::client_not_allowed).empty());
  EXPECT_TRUE(answer_of(Refusal::not_tls).empty());
}

TEST(Answer, TimeoutsAndFailuresAreCountedAsSuch) {
  EXPECT_TRUE(counters_of(Refusal::hello_timeout).timeout);
  EXPECT_FALSE(counters_of(Refusal::hello_timeout).failed);
  EXPECT_TRUE(counters_of(Refusal::connect_timeout).timeout && counters_of(Refusal::connect_timeout).failed);
  EXPECT_TRUE(counters_of(Refusal::socks5_failed).socks5_error);
  EXPECT_TRUE(counters_of(Refusal::plain_http).parse_error);
  EXPECT_FALSE(counters_of(Refusal::name_not_allowed).parse_error);
}

}  // namespace
}  // namespace sonde::proxy
