// SPDX-License-Identifier: Apache-2.0
// Each test does it in a process of its own, and looks at that with the eyes of /proc.
#include "actuators/proxy/process/privileges.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "actuators/proxy/process/ask.hpp"
#include "actuators/proxy/process/control.hpp"
#include "actuators/proxy/process/log.hpp"
#include "harness/process.hpp"

namespace sonde::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What the child writes; an exception of the harness ends it.
std::string in_child(const std::function<std::string()>& action) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text = action();
    const bool written = ::write(pipe[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(pipe[1]);
  std::string text;
  char bytes[4096];
  for (ssize_t size = 0; (size = ::read(pipe[0], bytes, sizeof(bytes))) > 0;)
    text.append(bytes, static_cast<std::size_t>(size));
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0 ? text : "status " + std::to_string(status) + " " + text;
}

// "Uid", "CapEff" ... of /proc/self/status, tabs as spaces.
std::map<std::string, std::string> status_of(const std::string& text) {
  std::map<std::string, std::string> members;
  for (const auto& line : test::lines_of(text)) {
    const auto colon = line.find(":\t");
    if (colon == std::string::npos) continue;
    std::string value = line.substr(colon + 2);
    std::ranges::replace(value, '\t', ' ');
    members[line.substr(0, colon)] = value;
  }
  return members;
}

std::string outcome(const Result<Privileges>& dropped) {
  return dropped ? dropped->user + "|" + dropped->kept : dropped.error().text();
}

constexpr std::uint64_t two = 1ULL << CAP_NET_BIND_SERVICE | 1ULL << CAP_NET_ADMIN;

std::uint64_t hexadecimal(const std::string& text) { return std::stoull(text, nullptr, 16); }

struct Privileged : testing::Test {
  void SetUp() override { ASSERT_EQ(::geteuid(), 0U) << "needs root"; }
};

TEST_F(Privileged, RootBecomesTheUserAndKeepsTwoCapabilities) {
  const auto members = status_of(in_child([] {
    const std::string said = outcome(drop_privileges("nobody"));
    return "said:\t" + said + "\n" + test::read_file("/proc/self/status");
  }));
  EXPECT_EQ(members.at("said"), "nobody|CAP_NET_BIND_SERVICE, CAP_NET_ADMIN");
  EXPECT_EQ(members.at("Uid"), "65534 65534 65534 65534");
  EXPECT_EQ(members.at("Gid"), "65534 65534 65534 65534");
  EXPECT_THAT(members.at("Groups"), testing::AnyOf("65534 ", "65534", ""));
  EXPECT_EQ(hexadecimal(members.at("CapPrm")), two);
  EXPECT_EQ(hexadecimal(members.at("CapEff")), two);
  EXPECT_EQ(hexadecimal(members.at("CapInh")), 0U);
  EXPECT_EQ(hexadecimal(members.at("CapAmb")), 0U);
  EXPECT_EQ(hexadecimal(members.at("CapBnd")) & ~two, 0U);
  EXPECT_EQ(members.at("NoNewPrivs"), "1");
}

TEST_F(Privileged, WhatIsKeptWorksAndTheRestDoesNot) {
  EXPECT_EQ(in_child([]() -> std::string {
              if (!drop_privileges("nobody")) return "not dropped";
              const Endpoint low{.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, .port = 443};
              auto first = listen_on(low, true);
              if (!first) return first.error().text();
              auto second = listen_on(low, true);  // looks at its own descriptors, of a process that is not dumpable
              if (!second) return second.error().text();
              const Fd socket(::socket(AF_INET, SOCK_STREAM, 0));
              const int on = 1;
              if (::setsockopt(socket.get(), SOL_IP, IP_TRANSPARENT, &on, sizeof(on)) != 0) return "not transparent";
              if (::setuid(0) == 0) return "root again";
              if (::open("/etc/shadow", O_RDONLY) >= 0) return "reads secrets";
              if (::chown("/tmp", 0, 0) == 0) return "gives files away";
              return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 ? "dumpable" : "well";
            }),
            "well");
}

TEST_F(Privileged, ANumberIsAUserToo) {
  EXPECT_EQ(in_child([] { return outcome(drop_privileges("65534")); }), "nobody|CAP_NET_BIND_SERVICE, CAP_NET_ADMIN");
}

TEST_F(Privileged, RootMayStay) {
  EXPECT_EQ(in_child([] { return outcome(drop_privileges("root")) + (::geteuid() == 0 ? "|0" : "|gone"); }),
            "root|all|0");
}

TEST_F(Privileged, AnUnknownUserIsNamed) {
  for (const std::string name : {"no-such-user", "", "4294967295", "12x"})
    EXPECT_EQ(in_child([&] { return outcome(drop_privileges(name)); }),
              "user: \"" + name + "\": expected a user of this host");
}

TEST_F(Privileged, AnotherUserKeepsWhatHeHas) {
  const auto members = status_of(in_child([] {
    ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (::setresgid(1, 1, 1) != 0 || ::setresuid(1, 1, 1) != 0) return std::string("not changed");
    cap_t capabilities = ::cap_from_text("cap_net_admin,cap_net_raw,cap_bpf+ep");
    if (::cap_set_proc(capabilities) != 0) return std::string("not set");
    const std::string said = outcome(drop_privileges("nobody"));
    return "said:\t" + said + "\n" + test::read_file("/proc/self/status");
  }));
  EXPECT_EQ(members.at("said"), "daemon|CAP_NET_ADMIN");
  EXPECT_EQ(hexadecimal(members.at("CapPrm")), 1ULL << CAP_NET_ADMIN);
  EXPECT_EQ(members.at("NoNewPrivs"), "1");
}

TEST_F(Privileged, NotWithThreads) {
  EXPECT_THAT(in_child([] {
                std::thread([] { ::pause(); }).detach();
                return outcome(drop_privileges("nobody")) + (::geteuid() == 0 ? "|0" : "|gone");
              }),
              testing::AllOf(HasSubstr("the process has 2 threads"), testing::EndsWith("|0")));
}

struct Folder : Privileged {
  Folder() { std::filesystem::create_directory(path); }
  ~Folder() override { std::filesystem::remove_all(path); }
  std::string path = std::filesystem::temp_directory_path() / ("sonde-privileges-" + std::to_string(::getpid()));
};

// What the proxy made becomes the user's; what was there before does not.
TEST_F(Folder, ALogOfItsOwnIsRotatedAfterwards) {
  ProxyLog config;
  config.output = "file";
  config.file_path = path + "/own/proxy.log";
  config.enable_rotation = true;
  config.max_size_mb = 1;
  config.show_timestamp = config.show_module = false;
  EXPECT_EQ(in_child([&]() -> std::string {
              if (!open_log(config) || !drop_privileges("nobody")) return "failed";
              for (int i = 0; i < 1500; ++i) log(LogLevel::info, "test", "{}", std::string(1000, 'x'));
              return "well";
            }),
            "well");
  EXPECT_TRUE(std::filesystem::exists(config.file_path + ".1"));
  struct stat status {};
  ASSERT_EQ(::stat(config.file_path.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534U);
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
}

TEST_F(Folder, ALogInRootsFolderGrowsAndSaysSo) {
  ProxyLog config;
  config.output = "file";
  config.file_path = path + "/proxy.log";
  config.enable_rotation = true;
  config.max_size_mb = 1;
  config.show_timestamp = config.show_module = false;
  EXPECT_EQ(in_child([&]() -> std::string {
              if (!open_log(config) || !drop_privileges("nobody")) return "failed";
              for (int i = 0; i < 3300; ++i) log(LogLevel::info, "test", "{}", std::string(1000, 'x'));
              return "well";
            }),
            "well");
  EXPECT_FALSE(std::filesystem::exists(config.file_path + ".1"));
  std::vector<std::string> others;
  std::size_t lines = 0;
  for (const auto& line : test::lines_of(test::read_file(config.file_path))) {
    ++lines;
    if (!line.ends_with("xxx")) others.push_back(line);
  }
  EXPECT_EQ(lines, 3301U) << "none is lost";
  EXPECT_THAT(others, ElementsAre("WARN  not rotated, grows: " + config.file_path + ".1: Permission denied"));
}

TEST_F(Folder, TheControlSocketOutlivesTheDropHarmlessly) {
  const std::string control = path + "/control.sock";
  EXPECT_EQ(in_child([&]() -> std::string {
              auto socket = ControlSocket::bind(control);
              if (!socket) return socket.error().text();
              if (!drop_privileges("nobody")) return "not dropped";
              auto server =
                  ControlServer::start(std::move(*socket), {.reload = {},
                                                            .status = [] { return Result<std::string>("here"); },
                                                            .stop = {},
                                                            .listeners = {},
                                                            .handed_over = {}});
              if (!server) return server.error().text();
              const auto said = ask(control, "status");  // as nobody: it is the same user
              return said ? *said : said.error().text();
            }),
            "here");
  EXPECT_TRUE(std::filesystem::exists(control)) << "nobody cannot remove it from root's folder";
  auto next = ControlSocket::bind(control);
  EXPECT_TRUE(next) << next.error().text();
}

TEST_F(Folder, OtherUsersMayNotAsk) {
  const std::string control = path + "/control.sock";
  auto server = ControlServer::start(control, {.reload = {},
                                               .status = [] { return Result<std::string>("here"); },
                                               .stop = {},
                                               .listeners = {},
                                               .handed_over = {}});
  ASSERT_TRUE(server);
  std::filesystem::permissions(control, std::filesystem::perms::all);
  const auto as_another = [&](bool open) {
    std::filesystem::permissions(control, open ? std::filesystem::perms::all : std::filesystem::perms::owner_all);
    return in_child([&] {
      if (::setresuid(1, 1, 1) != 0) return std::string("not changed");
      const auto said = ask(control, "status");
      return said ? *said : said.error().text();
    });
  };
  EXPECT_EQ(as_another(true), "only root and the proxy's own user may ask the proxy");
  EXPECT_THAT(as_another(false), HasSubstr("Permission denied"));
}

TEST_F(Privileged, FilesAreAsManyAsMayBe) {
  EXPECT_EQ(in_child([]() -> std::string {
              const rlimit low{.rlim_cur = 256, .rlim_max = 512};
              ::setrlimit(RLIMIT_NOFILE, &low);
              std::uint64_t most = 0;
              std::ifstream("/proc/sys/fs/nr_open") >> most;
              const bool may_exceed = ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) == 1;  // not in containers
              if (raise_file_limit() != (may_exceed ? most : 512)) return "root is not given all";
              ::setrlimit(RLIMIT_NOFILE, &low);
              if (!drop_privileges("nobody")) return "not dropped";
              if (raise_file_limit() != 512) return "a user is not given the hard limit";
              rlimit now{};
              ::getrlimit(RLIMIT_NOFILE, &now);
              return now.rlim_cur == 512 ? "well" : "not true";
            }),
            "well");
}

}  // namespace
}  // namespace sonde::proxy
