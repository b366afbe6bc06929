// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "sonde/endpoint.hpp"
#include "sonde/owner.hpp"

namespace sonde::exporter {

/// "nginx[4711]", with what else matters: "nginx[4711] docker:1f2e3d4c5b6a", "curl[99] (low: tuple)", "sh[5] opened by
/// systemd[1]"; "unknown (no socket)". Bytes that are no printable text are escaped.
[[nodiscard]] std::string owner_text(const SocketOwner& owner);

/// The members "owner" and, if another process opened the socket, "opener" (docs/json.md).
void add_owner(nlohmann::ordered_json& object, const SocketOwner& owner);
/// The members "local", "local_port", "remote", "remote_port", "protocol", "state", "network_namespace", "cookie".
void add_socket(nlohmann::ordered_json& object, const Socket& socket);

}  // namespace sonde::exporter
