// SPDX-License-Identifier: Apache-2.0
// The files of ClientTraffic: one to be read by people and scripts, one that outlives the process.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "actuators/proxy/stats/client_traffic.hpp"
#include "actuators/proxy/stats/state_file.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// ProxyIpTraffic::output_file: the greatest first.
[[nodiscard]] std::string client_file_text(ClientSums sums, std::size_t limit, std::int64_t now_ns);

/// ProxyIpTraffic::persistence_file: {"stats": {"192.0.2.1": {"bytes_received", "bytes_sent", "connections",
/// "last_active"}}, "saved_at": seconds, "others": {...}}. A file of the original sni-proxy, which has
/// neither last_active nor others, is read too.
[[nodiscard]] std::string persistent_text(const ClientSums& sums, std::int64_t now_seconds);
/// Empty text: no clients. The error says where the text is broken.
[[nodiscard]] Result<ClientSums> parse_persistent(std::string_view text);

/// Reads what the file says into an empty table. A broken one is set aside, with a warning in the log.
[[nodiscard]] Result<void> load_clients(StateFile& file, ClientTraffic& clients);
/// Adds what is new to what the file says, which another process may have changed meanwhile, and takes over the sums.
[[nodiscard]] Result<void> save_clients(StateFile& file, ClientTraffic& clients, std::int64_t now_seconds);

}  // namespace sonde::proxy
