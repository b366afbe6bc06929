// SPDX-License-Identifier: Apache-2.0
#include "decode/http.hpp"

#include <gtest/gtest.h>

#include "corpus.hpp"

namespace sonde::decode {
namespace {

std::string text_of(std::string_view payload) {
  const Buffer bytes = bytes_of(payload);
  const auto message = decode_http(bytes);
  return message ? to_text(*message) : "none";
}

TEST(Http, RequestLineAndHost) {
  EXPECT_EQ(text_of("GET /index.html HTTP/1.1\r\nA: b\r\nhOsT: \t example.com \r\n\r\n"),
            "HTTP GET /index.html Host: example.com");
  EXPECT_EQ(text_of("POST /form HTTP/1.0\n\nHost: body.example\n"), "HTTP/1.0 POST /form");
  EXPECT_EQ(text_of("CONNECT example.com:443 HTTP/1.1\r\n\r\n"), "HTTP CONNECT example.com:443");
}

TEST(Http, StatusLine) {
  EXPECT_EQ(text_of("HTTP/1.1 200 OK\r\n\r\n"), "HTTP 200 OK");
  EXPECT_EQ(text_of("HTTP/1.0 404 Not Found\n"), "HTTP/1.0 404 Not Found");
  EXPECT_EQ(text_of("HTTP/1.1 204 \r\n"), "HTTP 204");
  EXPECT_EQ(text_of("HTTP/1.1 204\r\n"), "HTTP 204");
}

TEST(Http, OtherContentIsNotTaken) {
  for (const char* payload :
       {"", "GE", "GET", "GET ", "GET  HTTP/1.1\r\n", "GETX / HTTP/1.1\r\n", "GET key\r\n", "GET / HTTP/2.0\r\n",
        "GET / FOO", "HTTP/1.1 20", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 099 X\r\n", "HTTP/1.12000 OK\r\n",
        "get / HTTP/1.1\r\n", "SSH-2.0-OpenSSH\r\n"}) {
    EXPECT_EQ(text_of(payload), "none") << payload;
  }
}

TEST(Http, CutStartLine) {
  EXPECT_EQ(text_of("GET /a/very/lo"), "HTTP GET /a/very/lo [cut]");
  EXPECT_EQ(text_of("GET /a HTTP/"), "HTTP GET /a [cut]");
  EXPECT_EQ(text_of("GET /a HTTP/1.0\r"), "HTTP/1.0 GET /a [cut]");
  EXPECT_EQ(text_of("HTTP/1.1 200 O"), "HTTP 200 O [cut]");
}

TEST(Http, HalfAHostIsNoHost) { EXPECT_EQ(text_of("GET / HTTP/1.1\r\nHost: example.c"), "HTTP GET /"); }

TEST(Http, TerminalSequencesAreEscaped) {
  EXPECT_EQ(text_of("HTTP/1.1 200 \x1b[31mred\\\r\n"), "HTTP 200 \\027[31mred\\\\");
}

TEST(Http, EveryCutIsABeginningOfTheWhole) {
  const Buffer whole = corpus("http/get");
  for_each_cut(whole, [](Bytes bytes) {
    const auto message = decode_http(bytes);
    ASSERT_EQ(message.has_value(), bytes.size() >= 5) << bytes.size();
    if (!message) return;
    EXPECT_EQ(message->method, "GET");
    EXPECT_TRUE(std::string_view("/index.html?a=b").starts_with(message->target));
    EXPECT_EQ(message->cut, bytes.size() < 30);
    EXPECT_TRUE(message->host.empty() || message->host == "example.com");
  });
}

TEST(Http, DamagedBytes) {
  for (const Buffer& bytes : corpus_folder("http")) {
    for_each_damage(bytes, [](Bytes damaged) {
      const auto message = decode_http(damaged);
      if (message) {
        EXPECT_EQ(to_text(*message).find('\n'), std::string::npos);
      }
    });
  }
}

}  // namespace
}  // namespace sonde::decode
