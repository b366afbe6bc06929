// SPDX-License-Identifier: Apache-2.0
#include "filter_options.hpp"

#include "words.hpp"

namespace sonde::cli {

void add_endpoint_filters(OptionGroup& group, FilterOptions& filter) {
  group.option("--protocol", "NAME", filter.protocol, "tcp, udp, icmp, icmp6, sctp, a number, or all")
      ->capture_default_str();
  group.option("--src-ip", "NETWORK", filter.source_networks,
               "Source address or CIDR, IPv4 or IPv6; lists: one of them");
  group.option("--dst-ip", "NETWORK", filter.destination_networks, "Destination address or CIDR");
  group.option("--ip", "NETWORK", filter.networks, "Source or destination address or CIDR");
  group.option("--src-port", "PORTS", filter.source_ports, "Source port, range or list: 443, 8000-8080, 80,443");
  group.option("--dst-port", "PORTS", filter.destination_ports, "Destination port, range or list");
  group.option("--port", "PORTS", filter.ports, "Source or destination port, range or list");
}

void add_packet_filters(OptionGroup& group, FilterOptions& filter, std::string& min_size, std::string& max_size) {
  group.option("--direction", "NAME", filter.direction, "in, out or both")->capture_default_str();
  group.option("--min-size", "BYTES", min_size, "Size of the packet, link header included, at least");
  group.option("--max-size", "BYTES", max_size, "Size of the packet, at most");
}

Result<void> take_packet_sizes(const std::string& min_size, const std::string& max_size, FilterOptions& filter) {
  const auto take = [](const char* option, const std::string& word, std::optional<std::uint32_t>& target) {
    if (word.empty()) return Result<void>{};
    const auto size = parse_number(option, word, UINT32_MAX);
    if (!size) return Result<void>{std::unexpected(size.error())};
    target = static_cast<std::uint32_t>(*size);
    return Result<void>{};
  };
  auto done = take("--min-size", min_size, filter.min_size);
  return done ? take("--max-size", max_size, filter.max_size) : done;
}

void add_expression(CLI::App& app, std::vector<std::string>& words) {
  app.add_option("expression", words, "pcap-filter(7) expression: tcp port 443 and not host 10.0.0.1")->type_name("");
}

void add_owner_filters(OptionGroup& group, OwnerFilter& filter) {
  group.option("--pid", "PIDS", filter.pids, "Process id or list: 4711, 4711,4712; lists: one of them");
  group.option("--process", "NAME", filter.processes, "Name of the process or thread, or its executable");
  group.option("--user", "USER", filter.users, "User the process runs as, name or number");
  group.option("--container", "ID", filter.containers,
               "Container by its id or the beginning of it, or systemd unit (nginx.service)");
}

void add_owner_tracking(OptionGroup& group, OwnerOptions& owner, std::string& map_size) {
  group
      .option("--hook", "NAME", owner.hook,
              "How owners are recorded: auto, fentry, tracepoint, kprobe or cgroup; `sonde doctor` tells which work")
      ->capture_default_str();
  group.option("--owner-map-size", "N", map_size,
               "Sockets whose owners are kept where they cannot be kept with the socket (kprobe). Default: 65536");
}

Result<void> take_owner_map_size(const std::string& word, OwnerOptions& owner) {
  constexpr std::uint64_t most = 16 * 1024 * 1024;
  if (word.empty()) return {};
  const auto size = parse_number("--owner-map-size", word, most);
  if (!size) return std::unexpected(size.error());
  if (*size == 0) return fail(ErrorKind::usage, "--owner-map-size '0': expected at least 1");
  owner.map_size = static_cast<std::uint32_t>(*size);
  return {};
}

}  // namespace sonde::cli
