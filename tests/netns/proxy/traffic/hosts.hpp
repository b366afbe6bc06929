// SPDX-License-Identifier: Apache-2.0
// Hosts between which a proxy stands, and servers that speak TLS.
#pragma once
#include <memory>
#include <string>

#include "proxied.hpp"

namespace sonde::test {

/// client 10.8.1.1 - 10.8.1.2 proxy 10.8.2.2 - 10.8.2.1 upstream; also fd08:1::1, fd08:1::2, fd08:2::2, fd08:2::1.
struct Hosts {
  Hosts();
  /// Every n-th packet with data is lost on the way into each of the hosts, and others come late.
  void lose(int every) const;

  NetworkNamespace client{NetworkNamespace::Ipv6::on};
  NetworkNamespace proxy{NetworkNamespace::Ipv6::on};
  NetworkNamespace upstream{NetworkNamespace::Ipv6::on};
};

/// A certificate of its own for the name, and servers with it. They end with this object.
class TlsServers {
 public:
  explicit TlsServers(const NetworkNamespace& where, std::string name = "name.test");
  /// nginx with HTTP/1.1 and HTTP/2: / is "well\n", /big 8 MiB, /client the client's address. `listen` as nginx has it,
  /// with `proxy_protocol` where it is to read PROXY headers.
  void start_nginx(const std::string& listen);
  /// `openssl s_server WORDS -accept PORT`, which answers with HTTP.
  void start_openssl(const std::string& port, const std::string& words);
  [[nodiscard]] std::string certificate() const { return folder_.file("cert.pem"); }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_.file(name); }
  [[nodiscard]] std::string sha256_of_big() const;

 private:
  const NetworkNamespace& where_;
  std::string name_;
  Folder folder_;
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace sonde::test
