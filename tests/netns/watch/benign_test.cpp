// SPDX-License-Identifier: Apache-2.0
// What every host does all day is no event.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "watch_program.hpp"

namespace sonde::test {
namespace {

constexpr const char* dns_server = R"(python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.9.0.2', 53))
while True:
    q, a = s.recvfrom(2000)
    s.sendto(q[:2] + b'\x81\x80' + q[4:6] + q[4:6] + b'\0\0\0\0' + q[12:] + b'\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\x09\0\x02', a)
")";

// A page, a page in parts, downloads, questions, checks every fifth of a second, a service that is down, ping.
constexpr const char* traffic[] = {
    "for i in $(seq 40); do curl -s -o /dev/null http://10.9.0.2:8080/page; sleep 0.2; done",
    "for i in $(seq 8); do for j in $(seq 8); do curl -s -o /dev/null http://10.9.0.2:8080/page & done; wait; sleep "
    "0.5; done",
    "for i in $(seq 3); do curl -s -o /dev/null http://10.9.0.2:8080/large; done",
    "for i in $(seq 60); do timeout 1 dig +tries=1 +noedns -p 53 @10.9.0.2 host$((i % 7)).example.com >/dev/null; "
    "sleep 0.1; done",
    "for i in $(seq 40); do curl -s -m 1 -o /dev/null http://10.9.0.2:8080/health; sleep 0.2; done",
    "for i in $(seq 8); do curl -s -m 1 -o /dev/null http://10.9.0.2:8081/ || true; sleep 1; done",
    "iperf3 -c 10.9.0.2 -t 4 >/dev/null && iperf3 -c 10.9.0.2 -u -b 200M -t 3 >/dev/null",
    "ping -q -i 0.2 -c 40 10.9.0.2 >/dev/null",
};

TEST(Benign, TrafficIsNoEvent) {
  const Pair pair;
  const auto folder = std::filesystem::temp_directory_path() / ("sonde-web-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  run("head -c 20000 /dev/zero > " + (folder / "page").string());
  run("head -c 50000000 /dev/zero > " + (folder / "large").string());
  run("echo well > " + (folder / "health").string());
  {
    const Process web(pair.right,
                      {"bash", "-c",
                       "cd " + folder.string() +
                           " && exec python3 -c 'import http.server as h; "
                           "h.ThreadingHTTPServer((\"\", 8080), h.SimpleHTTPRequestHandler).serve_forever()'"});
    const Process iperf(pair.right, {"iperf3", "-s"});
    const Process dns(pair.right, {"bash", "-c", std::string("exec ") + dns_server});
    pair.left.run("for i in $(seq 50); do curl -s -o /dev/null http://10.9.0.2:8080/health && break; sleep 0.1; done");
    Watching server(pair.right, {"-i", "veth1"});
    Watching client(pair.left, {"-i", "veth0"});
    run_together(pair.left, {std::begin(traffic), std::end(traffic)});
    for (auto* watching : {&server, &client}) {
      const auto watched = watching->end();
      EXPECT_EQ(watched.status, 0);
      EXPECT_TRUE(watched.balanced()) << watched.errors;
      EXPECT_TRUE(watched.events.empty()) << watched.output;
      EXPECT_GT(watched.summary["flows"].get<int>(), 200);
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sonde::test
