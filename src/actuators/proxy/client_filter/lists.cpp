// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/client_filter/lists.hpp"

#include <arpa/inet.h>

#include <array>
#include <utility>

namespace sonde::proxy {
namespace {

constexpr std::uint32_t slot = 0;

Result<void> clear(int list_fd) {
  sonde_client_filter_key key{};
  while (true) {
    const auto found = kernel::map_next_key(list_fd, nullptr, &key);
    if (!found) return std::unexpected(found.error());
    if (!*found) return {};
    if (auto gone = kernel::map_delete(list_fd, &key); !gone) return gone;
  }
}

Result<void> fill(int list_fd, std::span<const FilterEntry> entries) {
  if (auto empty = clear(list_fd); !empty) return empty;
  for (const auto& entry : entries)
    if (auto put = kernel::map_update(list_fd, &entry.key, &entry.value); !put) return put;
  return {};
}

}  // namespace

Result<FilterLists> FilterLists::of(const kernel::Object& object) {
  FilterLists lists;
  const std::array<std::pair<const char*, int*>, 4> maps{{{"IP_WHITELIST", &lists.list_},
                                                          {"ip_filter_spare", &lists.spare_},
                                                          {"ip_filter_active", &lists.active_},
                                                          {"ip_filter_ports", &lists.port_bits_}}};
  for (const auto& [name, into] : maps) {
    const auto fd = object.map_fd(name);
    if (!fd) return std::unexpected(fd.error());
    *into = *fd;
  }
  return lists;
}

// The kernel waits for a grace period of RCU before it returns from updating a map of maps (maybe_wait_bpf_programs(),
// Linux 4.20, 1ae80cf31938): no program still runs with the list that was replaced, so that one may be written.
Result<void> FilterLists::make_active(int list_fd) const { return kernel::map_update(active_, &slot, &list_fd); }

// The bits are only a shortcut: while both lists may be asked they are those of both.
Result<void> FilterLists::set_ports(std::span<const FilterEntry> entries, bool keep) {
  auto ports = keep ? ports_ : sonde_client_filter_ports{};
  for (const auto& entry : entries) {
    const auto port = ntohs(entry.key.port);
    if (port != 0) ports.words[port / 64] |= std::uint64_t{1} << port % 64;
  }
  auto put = kernel::map_update(port_bits_, &slot, &ports);
  if (put) ports_ = ports;
  return put;
}

// By way of the spare one, so that what holds is always to be seen in IP_WHITELIST.
Result<void> FilterLists::set(std::span<const FilterEntry> entries) {
  if (!spare_holds_) {
    if (auto filled = fill(spare_, entries); !filled) {
      (void)clear(spare_);
      return filled;
    }
    if (auto done = set_ports(entries, true); !done) return done;
    if (auto done = make_active(spare_); !done) return done;
    spare_holds_ = true;
  }
  auto done = fill(list_, entries);
  if (done) done = set_ports(entries, true);
  if (done) done = make_active(list_);
  if (!done) {
    auto error = done.error();
    error.message = "IP_WHITELIST does not show the list that holds: " + error.message;
    return std::unexpected(std::move(error));
  }
  spare_holds_ = false;
  if (auto shown = set_ports(entries, false); !shown) return shown;
  return clear(spare_);
}

}  // namespace sonde::proxy
