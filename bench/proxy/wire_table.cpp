// SPDX-License-Identifier: Apache-2.0
// wire_table: the table of the wire splice of this network namespace, as the bench needs it. Each command prints one
// line of JSON.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstring>
#include <exception>
#include <fstream>

#include "actuators/proxy/wire/attachment.hpp"
#include "base/wall_clock.hpp"
#include "kernel/object.hpp"
#include "proxy/wire_elements.hpp"

namespace sonde::bench {

using proxy::Table;

Endpoint made_address(std::uint32_t number, std::uint16_t port) {
  Endpoint endpoint;
  const std::uint32_t address = (100U << 24 | 64U << 16) + number;
  endpoint.address[10] = endpoint.address[11] = 0xff;
  for (unsigned i = 0; i < 4; ++i) endpoint.address.at(12 + i) = static_cast<std::uint8_t>(address >> (24 - 8 * i));
  endpoint.port = port;
  return endpoint;
}

Result<void> put_connection(Table& table, std::uint32_t index, const sonde_wire_connection& connection) {
  const auto ends = proxy::ends_of(connection);
  const auto put = [&](const Endpoint& source, const Endpoint& destination, std::uint32_t side) {
    const auto flow = proxy::wire_flow(source, destination);
    const sonde_wire_place place{index, side};
    return kernel::map_update(table.flows_fd(), &flow, &place);
  };
  if (auto done = put(ends.client, ends.proxy_to_client, SONDE_WIRE_CLIENT); !done) return done;
  if (auto done = put(ends.upstream, ends.proxy_to_upstream, SONDE_WIRE_UPSTREAM); !done) return done;
  auto& element = table.at(index);
  const auto id = element.id;
  auto filled = connection;
  filled.phase = SONDE_WIRE_TAKEN;
  filled.id = id;
  filled.owner = element.owner;
  filled.record_parts = element.record_parts;
  filled.record_bytes = element.record_bytes;
  std::memcpy(&element, &filled, sizeof(filled));
  std::atomic_ref(element.phase).store(SONDE_WIRE_SPLICED, std::memory_order_release);
  std::atomic_ref(element.owner).store(0, std::memory_order_release);
  return {};
}

Result<std::uint64_t> memory_of(const Table& table) {
  std::uint64_t sum = 0;
  for (const int fd :
       {table.connections_fd(), table.flows_fd(), table.records_fd(), table.statistics_fd(), table.changes_fd()}) {
    std::ifstream file(fmt::format("/proc/self/fdinfo/{}", fd));
    std::uint64_t bytes = 0;
    std::string word;
    while (file >> word && word != "memlock:") {
    }
    if (!(file >> bytes)) return fail(ErrorKind::failed, "the kernel does not tell the memory of a map");
    sum += bytes;
  }
  return sum;
}

namespace {

// Without a table nothing is on the wire.
Result<void> tell() {
  const auto table = Table::find();
  if (!table) return std::unexpected(table.error());
  if (!*table) {
    fmt::print("{{\"connections\":0,\"capacity\":0,\"bytes\":0,\"packets\":0,\"memory\":0}}\n");
    return {};
  }
  const auto memory = memory_of(**table);
  const auto statistics = (*table)->statistics();
  if (!memory) return std::unexpected(memory.error());
  if (!statistics) return std::unexpected(statistics.error());
  fmt::print("{{\"connections\":{},\"capacity\":{},\"bytes\":{},\"packets\":{},\"memory\":{}}}\n", (*table)->count(),
             (*table)->capacity(), statistics->bytes, statistics->packets, *memory);
  return {};
}

std::optional<std::uint32_t> find_spliced(const Table& table) {
  for (std::uint32_t i = 0; i < table.used(); ++i) {
    const auto& connection = table.at(i);
    if (connection.phase == SONDE_WIRE_SPLICED && connection.ended == 0 && connection.sides[0].seen == 0 &&
        connection.sides[1].seen == 0)
      return i;
  }
  return std::nullopt;
}

// The same connection between other ends: those of the clients, and of the proxy towards the upstream, which are not
// this host's, so that nobody can reserve them.
sonde_wire_connection copy_of(const sonde_wire_connection& from, std::uint32_t number) {
  auto copy = from;
  const auto ends = proxy::ends_of(from);
  const auto set = [](sonde_wire_side_state& side, const Endpoint& source, const Endpoint& destination) {
    const auto flow = proxy::wire_flow(source, destination);
    std::memcpy(side.source, flow.source, sizeof(side.source));
    std::memcpy(side.destination, flow.destination, sizeof(side.destination));
    side.source_port = flow.source_port;
    side.destination_port = flow.destination_port;
  };
  set(copy.sides[SONDE_WIRE_CLIENT], made_address(number, ends.proxy_to_upstream.port), ends.upstream);
  set(copy.sides[SONDE_WIRE_UPSTREAM], ends.proxy_to_client, made_address(number, ends.client.port));
  const auto now = static_cast<std::uint64_t>(monotonic_ns());
  copy.sides[SONDE_WIRE_CLIENT].last_seen = copy.sides[SONDE_WIRE_UPSTREAM].last_seen = now;
  return copy;
}

// Until there are so many. All are like the first that is there.
Result<void> multiply(std::uint32_t connections) {
  const auto found = Table::find();
  if (!found) return std::unexpected(found.error());
  if (!*found) return fail(ErrorKind::failed, "this network namespace has no table");
  Table& table = **found;
  const auto first = find_spliced(table);
  if (!first) return fail(ErrorKind::failed, "there is no connection on the wire to copy");
  const auto record = table.read_record(*first);
  if (!record) return std::unexpected(record.error());
  for (std::uint32_t count = table.count(); count < connections; ++count) {
    const auto index = table.take();
    if (!index) return fail(ErrorKind::failed, fmt::format("the table is full with {} connections", count));
    if (auto done = table.write_record(*index, *record); !done) return done;
    if (auto done = put_connection(table, *index, copy_of(table.at(*first), count)); !done) return done;
  }
  return tell();
}

// Programs, pins and maps.
Result<void> remove() {
  const auto table = Table::find();
  if (!table) return std::unexpected(table.error());
  if (*table) {
    if (auto done = proxy::Attachment::remove((*table)->directory()); !done) return done;
    if (auto done = (*table)->unpin(); !done) return done;
  }
  fmt::print("{{\"removed\":{}}}\n", *table ? "true" : "false");
  return {};
}

Result<void> tell_cost(std::uint32_t connections, double seconds) {
  const auto cost = measure_cost(connections, seconds);
  if (!cost) return std::unexpected(cost.error());
  fmt::print("{{\"connections\":{},\"one\":{:.1f},\"same\":{:.1f},\"random\":{:.1f},\"packets\":{}}}\n", connections,
             cost->one, cost->same, cost->random, cost->packets);
  return {};
}

int run(int argc, char** argv) {
  CLI::App app{"The table of the wire splice, for `./dev bench wire`."};
  app.require_subcommand(1);
  std::uint32_t connections = 100'000;
  double seconds = 1;
  auto* told = app.add_subcommand("tell", "What is in it, and what memory the maps take");
  auto* multiplied = app.add_subcommand("multiply", "Copies a connection until there are so many");
  auto* removed = app.add_subcommand("remove", "Takes programs, pins and maps away");
  auto* cost = app.add_subcommand("cost", "Nanoseconds a packet, in tables of its own");
  for (auto* command : {multiplied, cost})
    command->add_option("--connections", connections)->check(CLI::Range(2U, 1'000'000U));
  cost->add_option("--seconds", seconds, "Of each measurement")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  const auto done = *told         ? tell()
                    : *multiplied ? multiply(connections)
                    : *removed    ? remove()
                    : *cost       ? tell_cost(connections, seconds)
                                  : Result<void>{};
  if (!done) fmt::print(stderr, "wire_table: {}\n", done.error().text());
  return done ? 0 : 1;
}

}  // namespace
}  // namespace sonde::bench

int main(int argc, char** argv) try { return sonde::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "wire_table: %s\n", error.what());
  return 1;
}
