// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "sonde/result.hpp"

namespace sonde::proxy {

struct Privileges {
  std::string user;  ///< that it runs as now
  std::string kept;  ///< "CAP_NET_BIND_SERVICE, CAP_NET_ADMIN", "all" or "none"
};

/// For all threads of the process, so before any is started (else an error): root becomes `user` with its groups, and
/// of the capabilities only those stay that a running proxy needs: CAP_NET_BIND_SERVICE (a reload may add port 443),
/// CAP_NET_ADMIN (transparent options of sockets). No new privileges after that (PR_SET_NO_NEW_PRIVS). Files that the
/// proxy has created so far become the user's. "root": root stays what it is, with all that it has. Who is not root
/// stays who he is, and gives up the other capabilities.
[[nodiscard]] Result<Privileges> drop_privileges(const std::string& user);

/// Raises the limit of open files as far as it may be. Gives the limit that holds; never fails.
[[nodiscard]] std::uint64_t raise_file_limit();

}  // namespace sonde::proxy
