// SPDX-License-Identifier: Apache-2.0
// Three network namespaces in a row for the self-test: a client, the proxy's host, a server.
#pragma once
#include <cstdint>

#include "base/fd.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

class TrialNetwork {
 public:
  enum class Place : std::uint8_t { client, proxy, server };

  /// Moves the calling thread into the proxy's, for good. All of them end with this object and the thread.
  [[nodiscard]] static Result<TrialNetwork> enter();

  /// TCP over IPv4, not blocking.
  [[nodiscard]] Result<Fd> socket_in(Place place) const;

  // RFC 5737; the ports are 0.
  static constexpr Endpoint proxy_to_client{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, 0};
  static constexpr Endpoint server{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 2}, 0};

 private:
  TrialNetwork() = default;
  Fd client_, proxy_, server_;  // namespaces
};

}  // namespace sonde::proxy
