// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "export/events/owner.hpp"

namespace sonde::exporter {
namespace {

using Json = nlohmann::ordered_json;

Owner owner_of(const std::string& comm, std::uint32_t pid) {
  Process process;
  process.pid = pid;
  process.comm = comm;
  Owner owner;
  owner.method = OwnerMethod::sk_storage;
  owner.confidence = OwnerConfidence::high;
  owner.reason = SONDE_REASON_NONE;
  owner.evidence = SONDE_OWNER_SENT;
  owner.pid = owner.tid = pid;
  owner.comm = comm;
  owner.process = std::make_shared<const Process>(process);
  return owner;
}

Owner in(Owner owner, const Container& container) {
  Process process = *owner.process;
  process.container = container;
  owner.process = std::make_shared<const Process>(process);
  return owner;
}

Owner sure(Owner owner, OwnerConfidence confidence, OwnerMethod method) {
  owner.confidence = confidence;
  owner.method = method;
  return owner;
}

TEST(OwnerText, NamesTheProcess) {
  EXPECT_EQ(owner_text({owner_of("nginx", 4711), {}}), "nginx[4711]");
  EXPECT_EQ(owner_text({in(owner_of("nginx", 4711), {"docker", std::string(64, 'a'), ""}), {}}),
            "nginx[4711] docker:aaaaaaaaaaaa");
  EXPECT_EQ(owner_text({in(owner_of("sh", 4), {"runc", "a-name-of-many-letters", ""}), {}}),
            "sh[4] runc:a-name-of-many-letters");
  EXPECT_EQ(owner_text({in(owner_of("sshd", 4), {"systemd", "ssh.service", ""}), {}}), "sshd[4]");
}

TEST(OwnerText, SaysHowSureItIs) {
  EXPECT_EQ(owner_text({sure(owner_of("curl", 99), OwnerConfidence::low, OwnerMethod::tuple), {}}),
            "curl[99] (low: tuple)");
  EXPECT_EQ(owner_text({sure(owner_of("curl", 99), OwnerConfidence::low, OwnerMethod::sk_storage), {}}),
            "curl[99] (low: listener)");
  EXPECT_EQ(owner_text({sure(owner_of("curl", 99), OwnerConfidence::medium, OwnerMethod::iter), {}}),
            "curl[99] (medium: iter)");
  EXPECT_EQ(owner_text({owner_of("sh", 5), owner_of("systemd", 1)}), "sh[5] opened by systemd[1]");
}

TEST(OwnerText, SaysWhyItDoesNotKnow) {
  Owner owner;
  owner.reason = SONDE_REASON_NO_SOCKET;
  EXPECT_EQ(owner_text({owner, {}}), "unknown (no socket)");
  for (int reason = SONDE_REASON_NO_SOCKET; reason <= SONDE_REASON_NOT_TRACKED; ++reason)
    EXPECT_STRNE(owner_reason_text(static_cast<sonde_owner_reason>(reason)), "") << reason;
}

TEST(OwnerText, KeepsControlCharactersOffTheTerminal) {
  EXPECT_EQ(owner_text({owner_of("a\x1b[31m\n\\\xc3", 1), {}}), "a\\x1b[31m\\x0a\\x5c\\xc3[1]");
}

TEST(OwnerJson, HasAllThatIsKnown) {
  Process process;
  process.pid = 7;
  process.parent_pid = 1;
  process.start_wall_ns = 1'800'000'000'000'000'001;
  process.uid = 33;
  process.user = "www-data";
  process.comm = "nginx";
  process.executable = "/usr/sbin/nginx";
  process.command_line = {"nginx", "-g", "x"};
  process.cgroup = "/kubepods/x";
  process.network_namespace = 4026531840;
  process.container = Container{"containerd", "abc", "uid-1"};
  process.exited = true;
  Owner owner = owner_of("worker", 7);
  owner.tid = 8;
  owner.uid = 33;
  owner.process = std::make_shared<const Process>(process);
  Json object;
  add_owner(object, {owner, {}});
  EXPECT_EQ(object["owner"].dump(),
            R"({"pid":7,"tid":8,"name":"nginx","thread":"worker","uid":33,"user":"www-data","parent_pid":1,)"
            R"("executable":"/usr/sbin/nginx","command_line":["nginx","-g","x"],)"
            R"("start_time":"2027-01-15T08:00:00.000000001Z","cgroup":"/kubepods/x","network_namespace":4026531840,)"
            R"("container":{"runtime":"containerd","id":"abc","pod":"uid-1"},"exited":true,"evidence":"sent",)"
            R"("method":"sk_storage","confidence":"high"})");
  EXPECT_FALSE(object.contains("opener"));
}

TEST(OwnerJson, LeavesOutWhatIsNot) {
  Owner unknown;
  unknown.reason = SONDE_REASON_KERNEL;
  Json object;
  add_owner(object, {unknown, {}});
  EXPECT_EQ(object.dump(), R"({"owner":{"method":"none","confidence":"none","reason":"kernel socket"}})");
}

TEST(OwnerJson, NamesTheOpener) {
  Json object;
  add_owner(object, {owner_of("sh", 5), owner_of("systemd", 1)});
  EXPECT_EQ(object["opener"]["pid"], 1);
}

TEST(OwnerJson, IsUtf8WhateverTheNameIs) {
  Json object;
  add_owner(object, {owner_of("a\xff\xc3\xa4", 5), {}});
  EXPECT_EQ(object["owner"]["name"], "a\xef\xbf\xbd\xc3\xa4");
  EXPECT_NO_THROW(static_cast<void>(object.dump()));
}

TEST(SocketJson, HasBothEnds) {
  Socket socket;
  socket.local = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, 443};
  socket.remote = {{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 50'000};
  socket.protocol = 6;
  socket.state = 1;
  socket.network_namespace = 4026531840;
  socket.cookie = 9;
  Json object;
  add_socket(object, socket);
  EXPECT_EQ(object.dump(),
            R"({"local":"192.0.2.1","local_port":443,"remote":"2001:db8::1","remote_port":50000,"protocol":"tcp",)"
            R"("state":"ESTABLISHED","network_namespace":4026531840,"cookie":9})");
}

TEST(SocketJson, HasNoPeerWhenNotConnected) {
  Socket socket;
  socket.local = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, 53};
  socket.remote = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, 0};
  socket.protocol = 17;
  socket.state = 7;
  Json object;
  add_socket(object, socket);
  EXPECT_EQ(object.dump(), R"({"local":"0.0.0.0","local_port":53,"protocol":"udp"})");
}

}  // namespace
}  // namespace sonde::exporter
