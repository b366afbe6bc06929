// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/protocol/hello.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>
#include <random>

#include "hello_builder.hpp"

namespace sonde::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t usual_most = 65536;

// tests/fuzz/corpus: what clients have sent. openssl_* and curl are OpenSSL's, python is that of Python's ssl module.
Buffer recorded(const std::string& name) {
  std::ifstream file(SONDE_CORPUS "/client_hello/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

HelloState state_of(const Buffer& bytes, std::size_t most = usual_most) {
  HelloReader reader(most);
  return reader.read(bytes);
}

ClientHello hello_of(const Buffer& bytes) {
  HelloReader reader(usual_most);
  EXPECT_EQ(reader.read(bytes), HelloState::complete);
  return reader.hello();
}

HelloParts usual_parts(std::string_view name = "www.example.com") {
  return {.extensions = {server_name(name), alpn({"h2", "http/1.1"}), supported_versions({0x0304, 0x0303})}};
}
Buffer usual_hello(std::string_view name = "www.example.com") { return in_records(hello_message(usual_parts(name))); }

HelloState state_of_name(std::string_view name) { return state_of(usual_hello(name)); }

HelloState state_of_extension(HelloExtension extension) {
  return state_of(in_records(hello_message({.extensions = {std::move(extension)}})));
}

// A key of X25519MLKEM768 has 1,216 bytes, and clients send two kinds and pad.
HelloParts large_parts(std::size_t key_bytes) {
  HelloParts parts = usual_parts("pq.example.org");
  parts.extensions.insert(parts.extensions.begin(),
                          {51, counted(number(0x11ec, 2) + counted(Buffer(key_bytes, 7), 2), 2)});
  return parts;
}

TEST(Hello, RecordedClients) {
  const ClientHello openssl = hello_of(recorded("openssl_13"));
  EXPECT_EQ(openssl.server_name, "www.example.com");
  EXPECT_THAT(openssl.alpn, ElementsAre("h2", "http/1.1"));
  EXPECT_FALSE(openssl.encrypted);

  const ClientHello old = hello_of(recorded("openssl_12"));
  EXPECT_EQ(old.server_name, "mail.example.org");
  EXPECT_THAT(old.alpn, IsEmpty());

  EXPECT_EQ(hello_of(recorded("openssl_no_sni")).server_name, "");
  EXPECT_EQ(hello_of(recorded("curl")).server_name, "curl.example.net");
  EXPECT_EQ(hello_of(recorded("python")).server_name, "python.example.org");
}

TEST(Hello, SplitAtEveryByte) {
  for (const Buffer& bytes : {recorded("openssl_13"), in_records(hello_message(usual_parts()), 7)}) {
    HelloReader byte_by_byte(usual_most);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_EQ(byte_by_byte.read(Bytes(bytes).first(size)), HelloState::incomplete) << size;
      HelloReader in_two(usual_most);
      ASSERT_EQ(in_two.read(Buffer(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size))),
                HelloState::incomplete);
      ASSERT_EQ(in_two.read(bytes), HelloState::complete);
      ASSERT_EQ(in_two.hello().server_name, "www.example.com");
    }
    ASSERT_EQ(byte_by_byte.read(bytes), HelloState::complete);
    EXPECT_EQ(byte_by_byte.hello().server_name, "www.example.com");
    EXPECT_THAT(byte_by_byte.hello().alpn, ElementsAre("h2", "http/1.1"));
    EXPECT_EQ(byte_by_byte.read(bytes), HelloState::complete) << "asked again";
  }
}

TEST(Hello, LargeOnesInRecordsAndSegmentsOfAnySize) {
  std::mt19937 random(20261121);
  for (int round = 0; round < 200; ++round) {
    const Buffer message = hello_message(large_parts(1 + random() % 60000));
    const Buffer bytes = in_records(message, 64 + random() % 16321);
    HelloReader reader(2 * usual_most);
    HelloState state = HelloState::incomplete;
    std::size_t size = 0;
    while (size < bytes.size()) {
      ASSERT_EQ(state, HelloState::incomplete);
      size = std::min(bytes.size(), size + 1 + random() % 3000);
      state = reader.read(Bytes(bytes).first(size));
    }
    ASSERT_EQ(state, HelloState::complete);
    ASSERT_EQ(reader.hello().server_name, "pq.example.org");
  }
}

// 64 KiB of records of one byte, a byte a call: the work is that of each byte once. At a tenth of this, copying what
// has come on each call takes minutes. CPU time, whatever else the machine does.
TEST(Hello, ManySegmentsAreNotQuadratic) {
  const Buffer bytes = in_records(hello_message(large_parts(60000)), 1);
  HelloReader reader(bytes.size());
  const auto begin = std::clock();
  for (std::size_t size = 1; size < bytes.size(); ++size) reader.read(Bytes(bytes).first(size));
  EXPECT_EQ(reader.read(bytes), HelloState::complete);
  EXPECT_LT(std::clock() - begin, 2 * CLOCKS_PER_SEC);
}

TEST(Hello, WhatFollowsTheHelloIsNotLookedAt) {
  const Buffer hello = usual_hello();
  EXPECT_EQ(state_of(hello + Buffer{20, 3, 3, 0, 1, 1}), HelloState::complete) << "early data";
  EXPECT_EQ(state_of(hello + Buffer(70000, 0)), HelloState::complete);
}

TEST(Hello, NamesAreFolded) {
  EXPECT_EQ(hello_of(usual_hello("WWW.Example.COM.")).server_name, "www.example.com");
  EXPECT_EQ(hello_of(usual_hello("_dmarc.xn--bcher-kva.example")).server_name, "_dmarc.xn--bcher-kva.example");
  EXPECT_EQ(hello_of(usual_hello("localhost")).server_name, "localhost");
  EXPECT_EQ(hello_of(usual_hello("1.2.3.4.nip.io")).server_name, "1.2.3.4.nip.io");
}

TEST(Hello, NamesThatAreNone) {
  const std::string label(63, 'a');
  const std::string most = label + '.' + label + '.' + label + '.' + std::string(61, 'b');  // 253
  EXPECT_EQ(state_of_name(most), HelloState::complete);
  EXPECT_EQ(state_of_name(most + '.'), HelloState::complete);
  EXPECT_EQ(state_of_name(most + 'b'), HelloState::malformed);
  EXPECT_EQ(state_of_name(label + "a.example"), HelloState::malformed) << "a label of 64 bytes";
  for (const std::string_view name : {"", ".", "..", "a..b", ".a", "a b", "a/b", "a:443", "\xc3\xa4.example", "a\nb"}) {
    EXPECT_EQ(state_of_name(name), HelloState::malformed) << name;
  }
  EXPECT_EQ(state_of_name(std::string_view("good.example\0.evil.example", 26)), HelloState::malformed);
}

TEST(Hello, AddressesAreNoNames) {
  for (const std::string_view name : {"192.0.2.1", "127.1", "2130706433", "0x7f000001", "0x7F.1", "1.0X7f", "::1",
                                      "[2001:db8::1]", "169.254.169.254."}) {
    EXPECT_EQ(state_of_name(name), HelloState::malformed) << name;
  }
}

TEST(Hello, WithoutExtensionsThereIsNoName) {
  const ClientHello hello = hello_of(in_records(hello_message({.version = 0x0301, .session = {}})));
  EXPECT_EQ(hello.server_name, "");
  EXPECT_THAT(hello.alpn, IsEmpty());
}

TEST(Hello, EncryptedHellosAreNoticed) {
  HelloParts parts = usual_parts("outer.example");
  parts.extensions.push_back({0xfe0d, Buffer(200, 1)});
  const ClientHello hello = hello_of(in_records(hello_message(parts)));
  EXPECT_TRUE(hello.encrypted);
  EXPECT_EQ(hello.server_name, "outer.example");
}

TEST(Hello, PlainHttp) {
  for (const std::string_view text : {"GET / HTTP/1.1\r\n", "CONNECT a:443 HTTP/1.1", "OPTIONS *",
                                      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PROPFIND /"}) {
    EXPECT_EQ(state_of(bytes_of(text)), HelloState::plain_http) << text;
  }
  const Buffer request = bytes_of("PROPFIND /");
  HelloReader reader(usual_most);
  for (std::size_t size = 0; size <= 8; ++size) {
    EXPECT_EQ(reader.read(Bytes(request).first(size)), HelloState::incomplete) << size;
  }
  EXPECT_EQ(reader.read(Bytes(request).first(9)), HelloState::plain_http);
}

TEST(Hello, WhatIsNoTls) {
  EXPECT_EQ(state_of({21, 3, 1, 0, 2, 2, 40}), HelloState::not_tls) << "an alert";
  EXPECT_EQ(state_of({0x80, 0x2e, 1, 3, 1, 0, 15, 0, 0, 0, 16}), HelloState::not_tls) << "SSL 2";
  EXPECT_EQ(state_of({22, 2}), HelloState::not_tls);
  for (const std::string_view text :
       {"SSH-2.0-OpenSSH_9.2\r\n", "GETX", "get / HTTP/1.1", "PUTTER", "\r\n", "EHLO a"}) {
    EXPECT_EQ(state_of(bytes_of(text)), HelloState::not_tls) << text;
  }
  EXPECT_EQ(state_of({}), HelloState::incomplete);
  EXPECT_EQ(state_of({22}), HelloState::incomplete);
}

TEST(Hello, RecordsThatAreWrong) {
  EXPECT_EQ(state_of({22, 3, 1, 0, 0}), HelloState::malformed) << "an empty record";
  EXPECT_EQ(state_of({22, 3, 1, 0x40, 1}), HelloState::malformed) << "16,385 bytes";
  EXPECT_EQ(state_of({22, 3, 1, 0x40, 0}), HelloState::incomplete);
  EXPECT_EQ(state_of({22, 3, 1, 0, 4, 2}), HelloState::malformed) << "a ServerHello";
  EXPECT_EQ(state_of({22, 3, 1, 0, 4, 1, 0, 0, 37}), HelloState::malformed) << "shorter than any";
  EXPECT_EQ(state_of({22, 3, 1, 0, 4, 1, 0, 0, 38}), HelloState::incomplete);

  const Buffer message = hello_message(usual_parts());
  Buffer second_is_alert = in_records(message, 50);
  second_is_alert[55] = 21;
  EXPECT_EQ(state_of(second_is_alert), HelloState::malformed);
  Buffer second_is_ssl_2 = in_records(message, 50);
  second_is_ssl_2[56] = 2;
  EXPECT_EQ(state_of(second_is_ssl_2), HelloState::malformed);
  EXPECT_EQ(state_of(in_records(message + Buffer{0})), HelloState::malformed) << "a record goes on behind the message";
}

TEST(Hello, LimitCountsAllBytes) {
  const Buffer message = hello_message(large_parts(5000));
  const Buffer bytes = in_records(message, 100);
  EXPECT_EQ(state_of(bytes, bytes.size()), HelloState::complete);
  EXPECT_EQ(state_of(bytes, bytes.size() - 1), HelloState::too_long);
  EXPECT_EQ(state_of(bytes + Buffer(100, 0), bytes.size() - 1), HelloState::too_long);
  EXPECT_EQ(state_of(in_records(message), message.size() - 1), HelloState::too_long);
  EXPECT_EQ(state_of({22, 3, 1, 0, 4, 1, 1, 0, 0}), HelloState::too_long) << "says that it has 64 KiB";
}

// Each byte of the lengths in a hello, one more and one less: never another name than the right one.
TEST(Hello, LengthsThatContradictOneAnother) {
  const Buffer bytes = usual_hello();
  const std::size_t session_at = 5 + 4 + 2 + 32;
  const std::size_t suites_at = session_at + 1 + 32;
  const std::size_t compression_at = suites_at + 2 + 4;
  const std::size_t extensions_at = compression_at + 2;
  const std::size_t name_at = extensions_at + 2;
  for (const std::size_t at :
       {session_at, suites_at + 1, compression_at, extensions_at + 1, name_at + 3, name_at + 5, name_at + 8}) {
    for (const int change : {-1, 1}) {
      Buffer changed = bytes;
      changed[at] = static_cast<std::uint8_t>(changed[at] + change);
      EXPECT_EQ(state_of(changed), HelloState::malformed) << at << ' ' << change;
    }
  }
}

TEST(Hello, PartsThatAreNotAllowed) {
  EXPECT_EQ(state_of(in_records(hello_message({.version = 0x0202}))), HelloState::malformed);
  EXPECT_EQ(state_of(in_records(hello_message({.session = Buffer(33, 1)}))), HelloState::malformed);
  EXPECT_EQ(state_of(in_records(hello_message({.cipher_suites = {}}))), HelloState::malformed);
  EXPECT_EQ(state_of(in_records(hello_message({.compression_methods = {}}))), HelloState::malformed);
  EXPECT_EQ(state_of_extension({0, {}}), HelloState::malformed) << "what a server sends";
  EXPECT_EQ(state_of_extension({0, {0, 0}}), HelloState::malformed) << "no name in the list";
  EXPECT_EQ(state_of_extension({0, counted(Buffer{1} + counted(bytes_of("a.example"), 2), 2)}), HelloState::malformed)
      << "a name of another type";
  EXPECT_EQ(state_of_extension({16, {}}), HelloState::malformed);
  EXPECT_EQ(state_of_extension(alpn({""})), HelloState::malformed);
  HelloParts twins = usual_parts("one.example");
  twins.extensions.push_back(server_name("other.example"));
  EXPECT_EQ(state_of(in_records(hello_message(twins))), HelloState::malformed);
  const Buffer one = Buffer{0} + counted(bytes_of("one.example"), 2);
  const Buffer other = Buffer{0} + counted(bytes_of("other.example"), 2);
  EXPECT_EQ(state_of_extension({0, counted(one + other, 2)}), HelloState::malformed);
}

TEST(Hello, AlertsAreFatalRecords) {
  EXPECT_THAT(alert_record(TlsAlert::unrecognized_name), ElementsAre(21, 3, 1, 0, 2, 2, 112));
}

}  // namespace
}  // namespace sonde::proxy
