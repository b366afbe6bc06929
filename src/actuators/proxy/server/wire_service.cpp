// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/wire_service.hpp"

#include <algorithm>
#include <filesystem>

#include "actuators/proxy/process/created.hpp"
#include "actuators/proxy/process/log.hpp"

namespace sonde::proxy {
namespace {

void give_pins(const Table& table) {
  remember_created(table.directory());
  std::error_code ignored;
  for (const auto& pin : std::filesystem::directory_iterator(table.directory(), ignored))
    remember_created(pin.path().string());
}

void switch_off(Paths& paths, const char* reason) {
  for (auto& state : paths.states)
    if (state.path == ProxyForwarding::wire) state = {ProxyForwarding::wire, false, reason};
  paths.wire.reset();
}

// Without privileges, or without bpffs, there is nothing to be found.
void find_left(Shared& shared) {
  auto found = Table::find();
  if (!found || !*found || (*found)->count() == 0 || !(*found)->keep()) return;
  shared.left_wire = std::move(*found);
  log(LogLevel::info, "wire", "connections that an earlier process left on the wire, and that are kept: {}",
      shared.left_wire->count());
}

}  // namespace

void prepare_wire(Shared& shared, bool take_over) {
  auto& wire = shared.paths.wire;
  if (wire && !take_over && !wire->table().keep())
    switch_off(shared.paths, "another process keeps the connections on the wire of this network namespace");
  else if (!wire)
    find_left(shared);
  if (const auto* const table = shared.wire_table()) give_pins(*table);
}

std::optional<WireFacts> wire_facts(const Shared& shared) {
  const auto* const table = shared.wire_table();
  if (table == nullptr || !shared.wire_connections) return std::nullopt;
  WireFacts facts;
  facts.connections = shared.wire_connections->count();
  facts.capacity = table->capacity();
  facts.adopted = shared.wire_connections->adopted_connections();
  if (const auto statistics = table->statistics()) facts.statistics = *statistics;
  if (!shared.paths.wire) return facts;
  const auto counts = shared.paths.wire->counts();
  facts.joined = counts.joined;
  facts.refused.emplace_back("no-place", counts.no_place);
  for (std::size_t i = 0; i < counts.verdicts.size(); ++i)
    if (i != SONDE_WIRE_JOINED)
      facts.refused.emplace_back(wire_verdict_name(static_cast<sonde_wire_verdict>(i)), counts.verdicts[i]);
  for (const auto& interface : shared.paths.wire->attachment().interfaces())
    facts.interfaces.push_back({interface.name, interface.hook, interface.failure});
  return facts;
}

void leave_wire(Shared& shared) {
  auto* const table = shared.wire_table();
  if (table == nullptr || !shared.wire_connections) return;
  const bool keeps = shared.wire_connections->keeps();
  shared.wire_connections.reset();
  if (!keeps || !table->keep() || table->count() > 0) return;
  // The programs first: without maps nobody would find them again.
  auto removed = Attachment::remove(table->reachable_directory());
  if (removed) removed = table->unpin();
  if (!removed) log(LogLevel::warn, "wire", "{}", removed.error().text());
}

}  // namespace sonde::proxy
