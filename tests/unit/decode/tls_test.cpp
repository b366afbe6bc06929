// SPDX-License-Identifier: Apache-2.0
#include "decode/tls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus.hpp"

namespace sonde::decode {
namespace {

using ::testing::ElementsAre;

std::string text_of(const Buffer& payload) {
  const auto handshake = decode_tls(payload);
  return handshake ? to_text(*handshake) : "none";
}

// The corpus holds the bytes of OpenSSL's client and server.
TEST(Tls, OpenSslClientHello) {
  EXPECT_EQ(text_of(corpus("tls/client_hello_13")), "TLS ClientHello sni=example.com alpn=h2,http/1.1 version=1.3");
  EXPECT_EQ(text_of(corpus("tls/client_hello_12")), "TLS ClientHello sni=www.example.org alpn=h2,http/1.1 version=1.2");
  EXPECT_EQ(text_of(corpus("tls/client_hello_no_sni")), "TLS ClientHello version=1.3");
}

TEST(Tls, OpenSslServerHello) {
  EXPECT_EQ(text_of(corpus("tls/server_hello_13")), "TLS ServerHello version=1.3");
  EXPECT_EQ(text_of(corpus("tls/server_hello_12")), "TLS ServerHello alpn=h2 version=1.2");
}

TEST(Tls, CutHelloTellsWhatIsThere) {
  const Buffer whole = corpus("tls/client_hello_13");
  bool named = false;
  for_each_cut(whole, [&](Bytes bytes) {
    const auto handshake = decode_tls(bytes);
    ASSERT_EQ(handshake.has_value(), bytes.size() >= 9) << bytes.size();
    if (!handshake) return;
    EXPECT_EQ(handshake->cut, bytes.size() < whole.size());
    EXPECT_TRUE(handshake->server_name.empty() || handshake->server_name == "example.com");
    EXPECT_GE(!handshake->server_name.empty(), named) << "a longer beginning knows no less";
    named = !handshake->server_name.empty();
  });
  EXPECT_TRUE(named);
}

TEST(Tls, OtherContentIsNotTaken) {
  Buffer hello = corpus("tls/client_hello_13");
  const auto with = [&hello](std::size_t at, std::uint8_t value) {
    Buffer changed = hello;
    changed[at] = value;
    return text_of(changed);
  };
  EXPECT_EQ(with(0, 23), "none");  // application data
  EXPECT_EQ(with(1, 2), "none");   // not a TLS version
  EXPECT_EQ(with(3, 0xff), "none") << "a record of 65 kB";
  EXPECT_EQ(with(5, 99), "none") << "an encrypted handshake has no kind";
  EXPECT_EQ(with(9, 7), "none") << "legacy_version is 3.x";
  EXPECT_EQ(text_of({}), "none");
}

TEST(Tls, GreaseIsNoVersion) {
  // Record, ClientHello, random of zeros, no session, one suite, no compression, supported_versions: GREASE and 1.2.
  Buffer hello = {22, 3, 1, 0, 58, 1, 0, 0, 54, 3, 3};
  hello.insert(hello.end(), 32, 0);
  const Buffer rest = {0, 0, 2, 0x13, 1, 1, 0, 0, 11, 0, 43, 0, 5, 4, 0x7a, 0x7a, 3, 3};
  hello.insert(hello.end(), rest.begin(), rest.end());
  hello[4] = static_cast<std::uint8_t>(hello.size() - 5);
  hello[8] = static_cast<std::uint8_t>(hello.size() - 9);
  EXPECT_EQ(text_of(hello), "TLS ClientHello version=1.2");
}

TEST(Tls, DamagedBytes) {
  for (const Buffer& bytes : corpus_folder("tls")) {
    for_each_damage(bytes, [](Bytes damaged) {
      const auto handshake = decode_tls(damaged);
      if (!handshake) return;
      for (const char character : to_text(*handshake)) ASSERT_TRUE(character >= ' ' && character <= '~');
    });
  }
}

}  // namespace
}  // namespace sonde::decode
