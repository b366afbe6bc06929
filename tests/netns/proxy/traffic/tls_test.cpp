// SPDX-License-Identifier: Apache-2.0
// Real TLS passes untouched: openssl, curl, nginx; hellos in any number of segments and records.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hosts.hpp"

namespace sonde::test {
namespace {

struct TlsProxy {
  TlsProxy() : config(one_route("127.0.0.1:8443", "127.0.0.1:9443")) {}
  NetworkNamespace host;
  TlsServers servers{host};
  Json config;

  [[nodiscard]] Outcome curl(const std::string& words, const std::string& path) const {
    return outcome_of(host, fmt::format("curl -sS --max-time 60 --cacert {} --resolve name.test:8443:127.0.0.1 {} "
                                        "https://name.test:8443{}",
                                        servers.certificate(), words, path));
  }
};

constexpr const char* nginx_listens = "listen 127.0.0.1:9443 ssl http2;";

class EveryPath : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(ProxyTls, EveryPath, ::testing::Values("auto", "bypass", "sockmap", "splice", "copy"));

TEST_P(EveryPath, CurlGetsFilesOverHttp1AndHttp2) {
  TlsProxy test;
  test.servers.start_nginx(nginx_listens);
  test.config["forwarding"] = GetParam();
  const Proxied proxy(test.host, test.config);
  for (const auto* const version : {"--http1.1", "--http2"}) {
    const auto small = test.curl(std::string(version) + " -w '%{http_version} %{ssl_verify_result}\\n'", "/");
    EXPECT_EQ(small.status, 0) << small.output;
    EXPECT_EQ(small.output, std::string("well\n") + (std::string(version) == "--http2" ? "2" : "1.1") + " 0\n");
    const auto big = test.curl(std::string(version), "/big | sha256sum");
    EXPECT_EQ(big.output.substr(0, 64), test.servers.sha256_of_big());
  }
  for (const auto& line : proxy.log(4)) {
    EXPECT_EQ(line.at("server_name"), "name.test") << line;
    EXPECT_EQ(line.at("route"), "route") << line;
    EXPECT_EQ(line.at("upstream"), "127.0.0.1:9443") << line;
    EXPECT_TRUE(line.at("end") == "client-closed" || line.at("end") == "upstream-closed" ||
                line.at("end") == "client-reset")
        << line;
    EXPECT_EQ(line.at("ja4").get<std::string>().size(), 36U) << line;
  }
}

TEST(ProxyTls, OpensslOfEitherVersion) {
  const TlsProxy test;
  TlsServers servers(test.host);
  servers.start_openssl("9443", "");
  const Proxied proxy(test.host, test.config);
  const std::pair<const char*, const char*> versions[] = {{"-tls1_2", "TLSv1.2"}, {"-tls1_3", "TLSv1.3"}};
  for (const auto& [word, name] : versions) {
    const auto said =
        outcome_of(test.host, fmt::format("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -connect "
                                          "127.0.0.1:8443 -servername name.test -CAfile {} "
                                          "-verify_return_error -ign_eof {} 2>&1",
                                          servers.certificate(), word));
    EXPECT_EQ(said.status, 0) << said.output;
    EXPECT_NE(said.output.find("Verify return code: 0 (ok)"), std::string::npos) << said.output;
    EXPECT_NE(said.output.find(std::string("New, ") + name), std::string::npos) << said.output;
    EXPECT_NE(said.output.find("HTTP/1.0 200 ok"), std::string::npos) << said.output;
  }
}

// Segments really are separate: there is a pause between them.
TEST(ProxyTls, AHelloSplitAtEveryByteAndARealHandshake) {
  TlsProxy test;
  test.servers.start_nginx(nginx_listens);
  const Proxied proxy(test.host, test.config);
  const auto split = peer_says(test.host, {"tls_split", "127.0.0.1", "8443", "name.test"}, "cuts");
  EXPECT_GT(split["cuts"], 200);
  EXPECT_TRUE(split["failures"].empty()) << split["failures"].dump(1);
}

// A hybrid key share makes a hello of 1,800 bytes; here in records of 100 bytes each, and in one.
TEST(ProxyTls, APostQuantumHelloInManyRecordsSplitAtEveryByte) {
  TlsProxy test;
  Peer upstream(test.host, {"echo", "127.0.0.1", "9443"});
  upstream.expect("listening");
  const Proxied proxy(test.host, test.config);
  for (const auto* const record : {"100", "16384"}) {
    const auto split =
        peer_says(test.host, {"split", "127.0.0.1", "8443", "name.test", "0.004", record, "1216"}, "cuts");
    EXPECT_GT(split["cuts"], 1300);
    EXPECT_TRUE(split["failures"].empty()) << split["failures"].dump(1).substr(0, 2000);
  }
}

// As long as the limit allows, in the smallest records that make sense.
TEST(ProxyTls, AHelloOf60KilobytesInRecordsOfOneByte) {
  TlsProxy test;
  Peer upstream(test.host, {"echo", "127.0.0.1", "9443"});
  upstream.expect("listening");
  const Proxied proxy(test.host, test.config);
  const auto whole =
      peer_says(test.host, {"send_hello", "127.0.0.1", "8443", "name.test", "16384", "60000", "1", "1"}, "answer");
  EXPECT_EQ(whole["answer"].get<std::string>().substr(0, 12), "68656c6c6f20") << whole;  // "hello "
  const auto bytes =
      peer_says(test.host, {"send_hello", "127.0.0.1", "8443", "name.test", "1", "1216", "1", "1"}, "answer");
  EXPECT_EQ(bytes["answer"].get<std::string>().substr(0, 12), "68656c6c6f20") << bytes;
}

}  // namespace
}  // namespace sonde::test
