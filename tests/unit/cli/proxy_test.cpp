// SPDX-License-Identifier: Apache-2.0
// `sonde proxy` as far as it needs neither root nor a proxy that runs.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "commands.hpp"

namespace sonde::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Ended {
  int status;
  std::string out, err;
};

Ended run_words(std::vector<std::string> words) {
  std::ostringstream out, err;
  const Environment env{out, err, false};
  words.insert(words.begin(), "proxy");
  const int status = run(env, std::move(words));
  return {status, out.str(), err.str()};
}

struct ProxyCommand : testing::Test {
  ProxyCommand() { std::filesystem::create_directory(folder); }
  ~ProxyCommand() override { std::filesystem::remove_all(folder); }
  std::string file(const std::string& content) const {
    const auto path = folder / "proxy.json";
    std::ofstream(path) << content;
    return path.string();
  }
  std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("sonde-proxy-command-" + std::to_string(::getpid()));
};

TEST_F(ProxyCommand, WrongWordsAreTwoAndNamed) {
  const auto config = file(R"({"listen_addr": "127.0.0.1:8443", "whitelist": ["a.example"]})");
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{}, "expected a configuration file"},
      {{"--bogus", config}, "--bogus"},
      {{config, "other.json"}, "other.json"},
      {{"--config", config, "other.json"}, "'other.json': expected no other file beside --config"},
      {{"--check"}, "expected a configuration file"},
      {{"--check", "--take-over", config}, "--take-over: expected no --check beside it"},
      {{"--control", "/run/a.sock", config}, "--control: expected reload, status, stop, drain or abort before it"},
      {{"stop", "--control", "/run/a.sock", config}, "--control: expected no configuration file beside it"},
      {{"reload", "--check"}, "--check"},
      {{"status", "a", "b"}, "b"},
      {{"drain", "--control", "/run/a.sock", config}, "--control: expected no configuration file beside it"},
      {{"abort", "--check"}, "--check"},
      {{"connections", config}, config.c_str()},
      {{"connections", "--sort", "name"}, "--sort 'name': expected one of bytes, packets"},
  };
  for (const auto& [words, named] : cases) {
    const auto ended = run_words(words);
    EXPECT_EQ(ended.status, usage) << ended.err;
    EXPECT_THAT(ended.err, StartsWith("sonde: proxy"));
    EXPECT_THAT(ended.err, HasSubstr(named));
    EXPECT_EQ(ended.out, "");
  }
}

TEST_F(ProxyCommand, CheckTellsWhatItWouldDo) {
  const auto config = file(R"({
    "listeners": [{"address": "127.0.0.1:8443", "forwarding": "splice", "proxy_protocol": "required"}],
    "routes": [{"name": "shop", "sni": ["a.example", "b.example", "c.example", "d.example", "e.example"],
                "upstreams": ["192.0.2.1:443", "[2001:db8::1]:443"], "balance": "least_connections",
                "health_check": {"interval": "250ms"}, "proxy_protocol": "v2", "forwarding": "copy"}],
    "whitelist": ["*.example.org"], "upstream_port": 8443, "ip_whitelist": ["127.0.0.0/8"], "user": "root",
    "log": {"output": "both", "file_path": "/tmp/a.log"}, "access_log": "-", "admin": "127.0.0.1:9100", "control": ""
  })");
  for (const auto& words : {std::vector<std::string>{"--check", config}, {"--check", "--config", config}}) {
    const auto ended = run_words(words);
    EXPECT_EQ(ended.status, well) << ended.err;
    EXPECT_EQ(ended.err, "");
    EXPECT_EQ(ended.out, config +
                             " is well\n"
                             "listeners:\n"
                             "  127.0.0.1:8443: forwarding splice, PROXY protocol required\n"
                             "routes:\n"
                             "  whitelist: *.example.org -> the host that the name names, port 8443\n"
                             "  shop: a.example, b.example, c.example, d.example and 1 more -> 192.0.2.1:443, "
                             "[2001:db8::1]:443, the one with the least connections, checked each 250ms, "
                             "PROXY protocol v2, forwarding copy\n"
                             "clients: those of ip_whitelist\n"
                             "wire splice: off\n"
                             "workers: one a CPU\n"
                             "user: root\n"
                             "admin: http://127.0.0.1:9100/status\n"
                             "log: info to both, /tmp/a.log\n"
                             "access log: standard output\n"
                             "control: none\n");
  }
}

TEST_F(ProxyCommand, CheckTellsWhenTheWireIsUsed) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("user": "root")", "wire splice: after 16384 bytes or 50ms, 65536 connections at most\n"},
      {R"("wire": {"after_bytes": 0, "after": 2, "connections": 9, "max_age": "1h"})",
       "wire splice: after 0 bytes or 2s, 9 connections at most, each for 3600s at most\n"},
      {R"("ebpf": {"enabled": false})", "wire splice: off\n"},
      {R"("forwarding": "splice")", "wire splice: off\n"},
      {R"("forwarding": "splice", "routes": [{"sni": ["b.example"], "forwarding": "wire"}])",
       "wire splice: after 16384"},
  };
  for (const auto& [members, said] : cases) {
    const auto path =
        file(std::string(R"({"listen_addr": "127.0.0.1:8443", "whitelist": ["a.example"], )") + members + "}");
    const auto ended = run_words({"--check", path});
    EXPECT_EQ(ended.status, well) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr(said)) << members;
  }
}

TEST_F(ProxyCommand, CheckNamesWhatIsWrong) {
  auto path = file("{\n\"listen_addr\": \"127.0.0.1:8443\",\n\"whitelist\": [\"a.example\"],\n\"workers\": \"all\"\n}");
  for (const auto& words : {std::vector<std::string>{"--check", path}, {path}}) {
    const auto ended = run_words(words);
    EXPECT_EQ(ended.status, usage);
    EXPECT_EQ(ended.err, "sonde: " + path + ":4: workers: \"all\": expected a whole number from 0 to 1024\n");
    EXPECT_EQ(ended.out, "");
  }
}

TEST_F(ProxyCommand, CheckAsksTheHost) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("listen_addr": "192.0.2.254:8443")", "listen_addr: \"192.0.2.254:8443\": expected an address of this host"},
      {R"("listeners": [{"address": "192.0.2.254:8443"}])",
       "listeners[0].address: \"192.0.2.254:8443\": expected an address of this host"},
      {R"("listen_addr": "127.0.0.1:1", "admin": "[2001:db8::fe]:2")",
       "admin: \"[2001:db8::fe]:2\": expected an address of this host"},
      {R"("listen_addr": "127.0.0.1:1", "user": "no-such-user-here")",
       "user: \"no-such-user-here\": expected a user of this host"},
      {R"("listen_addr": "127.0.0.1:1", "ip_whitelist": ["::1"], "ebpf": {"xdp": {"enabled": true, "interface": "no0"}})",
       "ebpf.xdp.interface: \"no0\": expected an interface of this host"},
  };
  for (const auto& [members, error] : cases) {
    const auto path = file(std::string("{\"whitelist\": [\"a.example\"],\n") + members + "}");
    const auto ended = run_words({"--check", path});
    EXPECT_EQ(ended.status, usage);
    EXPECT_EQ(ended.err, "sonde: " + path + ":2: " + error + "\n");
  }
}

TEST_F(ProxyCommand, AFileThatIsNotThereIsOne) {
  const auto ended = run_words({"--check", (folder / "none.json").string()});
  EXPECT_EQ(ended.status, failed);
  EXPECT_THAT(ended.err, HasSubstr("none.json: No such file or directory"));
}

TEST_F(ProxyCommand, NobodyAnswersWhereNoProxyRuns) {
  const auto control = (folder / "control.sock").string();
  const auto config =
      file(R"({"listen_addr": "127.0.0.1:8443", "whitelist": ["a.example"], "control": ")" + control + "\"}");
  for (const std::string request : {"reload", "status", "stop"})  // drain and abort do it themselves then
    for (const auto& words :
         {std::vector<std::string>{request, "--control", control}, {request, config}, {request, "--config", config}}) {
      const auto ended = run_words(words);
      EXPECT_EQ(ended.status, failed);
      EXPECT_THAT(ended.err, HasSubstr(control));
    }
}

TEST_F(ProxyCommand, AProxyWithoutAControlSocketCannotBeAsked) {
  const auto config = file(R"({"listen_addr": "127.0.0.1:8443", "whitelist": ["a.example"], "control": ""})");
  for (const char* const request : {"stop", "drain", "abort"}) {
    const auto ended = run_words({request, config});
    EXPECT_EQ(ended.status, usage);
    EXPECT_THAT(ended.err, HasSubstr("control is \"\""));
  }
}

// As root there may be some on this host; that is tests/netns/proxy/wire's.
TEST_F(ProxyCommand, ConnectionsNeedRoot) {
  if (::geteuid() == 0) return;
  const auto ended = run_words({"connections"});
  EXPECT_EQ(ended.status, unsupported);
  EXPECT_THAT(ended.err, HasSubstr("root"));
  EXPECT_EQ(ended.out, "");
}

TEST_F(ProxyCommand, HelpNamesEachCommand) {
  const auto ended = run_words({"--help"});
  EXPECT_EQ(ended.status, well);
  for (const char* const command : {"reload", "status", "stop", "drain", "abort", "connections"})
    EXPECT_THAT(ended.out, HasSubstr(std::string("\n  ") + command + " "));
}

}  // namespace
}  // namespace sonde::cli
