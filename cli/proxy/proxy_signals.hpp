// SPDX-License-Identifier: Apache-2.0
// Signals of a proxy in the foreground.
#pragma once

namespace sonde {
class Proxy;
}

namespace sonde::cli {

/// Writing to a connection that the peer has closed is an error of that write, and no end of the program.
void ignore_broken_pipes();

/// While it lives, SIGINT and SIGTERM call stop(), the second of which ends at once, and SIGHUP asks for a reload. A
/// third end signal kills. One at a time.
class ProxySignals {
 public:
  explicit ProxySignals(Proxy& proxy);
  ~ProxySignals();
  ProxySignals(const ProxySignals&) = delete;
  ProxySignals& operator=(const ProxySignals&) = delete;
};

}  // namespace sonde::cli
