// SPDX-License-Identifier: Apache-2.0
#include "hosts.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "harness/command.hpp"

namespace sonde::test {
namespace {

void number(const NetworkNamespace& where, const std::string& device, const std::string& four, const std::string& six) {
  where.run(fmt::format("ip addr add {}/24 dev {} && ip addr add {}/64 dev {} nodad", four, device, six, device));
}

}  // namespace

Hosts::Hosts() {
  add_veth(client, "eth0", proxy, "west");
  add_veth(proxy, "east", upstream, "eth0");
  number(client, "eth0", "10.8.1.1", "fd08:1::1");
  number(proxy, "west", "10.8.1.2", "fd08:1::2");
  number(proxy, "east", "10.8.2.2", "fd08:2::2");
  number(upstream, "eth0", "10.8.2.1", "fd08:2::1");
}

// What is dropped comes again behind what was sent after it, so it is also out of order; a packet that goes round by a
// second pair of devices comes late without being lost.
void Hosts::lose(int every) const {
  const auto rules = [&](const NetworkNamespace& where, const std::string& device) {
    where.run(
        fmt::format("ip link add a{0} type veth peer name b{0} && "
                    "ip link set b{0} address $(ip -br link show {0} | grep -o '..:..:..:..:..:..' | head -1) && "
                    "ip link set a{0} up && ip link set b{0} up && "
                    "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.b{0}.rp_filter=0",
                    device));
    where.run(
        fmt::format("nft 'table netdev loss-{0} {{ chain in {{ type filter hook ingress device {0} priority 0; "
                    "ip protocol tcp meta length > 200 numgen inc mod {1} 0 drop; "
                    "ip protocol tcp meta length > 200 numgen inc mod {1} 1 fwd to a{0}; }}; }}'",
                    device, every));
  };
  rules(client, "eth0");
  rules(proxy, "west");
  rules(proxy, "east");
  rules(upstream, "eth0");
}

TlsServers::TlsServers(const NetworkNamespace& where, std::string name) : where_(where), name_(std::move(name)) {
  run(
      fmt::format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={0} "
                  "-addext subjectAltName=DNS:{0} -keyout {1} -out {2} 2>&1",
                  name_, file("key.pem"), certificate()));
  run(fmt::format(
      "mkdir {0} && head -c 8388608 /dev/urandom >{0}/big && echo well >{0}/index.html && chmod -R a+rX {0}",
      file("www")));
}

void TlsServers::start_nginx(const std::string& listen) {
  const auto config = folder_.write(
      "nginx.conf",
      fmt::format(
          "daemon off; master_process off; pid {0}/nginx.pid; error_log stderr;\n"
          "events {{ worker_connections 2048; }}\n"
          "http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;\n"
          "  uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n"
          "  server {{ {1}\n    server_name {2}; ssl_certificate {0}/cert.pem; ssl_certificate_key {0}/key.pem;\n"
          "    root {0}/www;\n"
          "    location /client {{ return 200 \"$remote_addr $proxy_protocol_addr $http_host $server_protocol\\n\"; "
          "}}\n"
          "  }} }}\n",
          file("."), listen, name_));
  processes_.push_back(std::make_unique<Process>(where_, std::vector<std::string>{"nginx", "-c", config}));
  const auto& server = *processes_.back();
  const auto pid_file = file("nginx.pid");
  EXPECT_TRUE(eventually([&] { return !read_file(pid_file).empty(); })) << server.errors();
}

void TlsServers::start_openssl(const std::string& port, const std::string& words) {
  processes_.push_back(std::make_unique<Process>(
      where_, std::vector<std::string>{"sh", "-c",
                                       fmt::format("exec openssl s_server -accept {} -cert {} -key {} -www {}", port,
                                                   certificate(), file("key.pem"), words)}));
  EXPECT_TRUE(processes_.back()->wait_for_output_text("ACCEPT", proxy_patience)) << processes_.back()->errors();
}

std::string TlsServers::sha256_of_big() const { return run("sha256sum <" + file("www/big")).substr(0, 64); }

}  // namespace sonde::test
