// SPDX-License-Identifier: Apache-2.0
// The maps of the wire splice: its connections. They are pinned under bpffs, by network namespace, so that they outlive
// the process; programs of the kernel, this process and the next one use them at the same time.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "actuators/proxy/wire/wire.abi.h"
#include "sonde/endpoint.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

[[nodiscard]] sonde_wire_flow wire_flow(const Endpoint& source, const Endpoint& destination);
[[nodiscard]] Endpoint wire_source(const sonde_wire_flow& flow);
[[nodiscard]] Endpoint wire_destination(const sonde_wire_flow& flow);

/// The four ends of a connection, and what has been counted.
struct WireEnds {
  Endpoint client, proxy_to_client, proxy_to_upstream, upstream;
};
[[nodiscard]] WireEnds ends_of(const sonde_wire_connection& connection);

/// Payload of one side since it was joined, each byte once.
[[nodiscard]] std::uint64_t wire_bytes(const sonde_wire_side_state& side);

class Table {
 public:
  /// Opens the maps of the calling thread's network namespace, or makes them. Those of another version or capacity are
  /// made anew where nobody keeps them and they hold no connection. Else those of another capacity are taken as they
  /// are (capacity() says so), and another version is an error that says so.
  [[nodiscard]] static Result<std::unique_ptr<Table>> open(std::uint32_t capacity);
  /// Those that are there; null: none are.
  [[nodiscard]] static Result<std::unique_ptr<Table>> find();
  /// A table that nothing pins: of the self-test.
  [[nodiscard]] static Result<std::unique_ptr<Table>> make_private(std::uint32_t capacity);
  ~Table();

  /// Where pins are, of maps and links: ".../sonde-proxy/wire-<cookie>". Empty: private.
  [[nodiscard]] const std::string& directory() const;
  /// The same as "/proc/self/fd/N", which also works once this process may not search the folders above it: bpffs is
  /// root's. Empty: private.
  [[nodiscard]] std::string reachable_directory() const;
  /// Removes the pins of the maps. Programs that are attached keep theirs.
  Result<void> unpin();
  /// Whether this process keeps the table: ends connections that are over and logs them. One process does at a time
  /// (flock on the directory). Asked again, it tries again.
  [[nodiscard]] bool keep();
  void stop_keeping();

  [[nodiscard]] std::uint32_t capacity() const;
  [[nodiscard]] sonde_wire_connection& at(std::uint32_t index) const;
  /// No connection stands at this index or behind it. Never falls.
  [[nodiscard]] std::uint32_t used() const;

  // Any thread; also while another process does it.
  /// A free element, TAKEN, owned by this process, zero but for `id`. Nullopt: none is free.
  [[nodiscard]] std::optional<std::uint32_t> take();
  /// Takes it out of FLOWS and RECORDS and frees it; it is taken again some milliseconds later at the earliest.
  void free(std::uint32_t index);
  /// Of connections that have a phase from TAKEN to ABORTED. Walks the table.
  [[nodiscard]] std::uint32_t count() const;

  [[nodiscard]] Result<void> write_record(std::uint32_t index, std::string_view record);
  [[nodiscard]] Result<std::string> read_record(std::uint32_t index) const;

  [[nodiscard]] Result<sonde_wire_statistics> statistics() const;

  // Descriptors, owned by the table: to be reused by the programs.
  [[nodiscard]] int connections_fd() const;
  [[nodiscard]] int flows_fd() const;
  [[nodiscard]] int records_fd() const;
  [[nodiscard]] int statistics_fd() const;
  /// Ring buffer of indices (u32) of connections that a FIN or RST has changed. One that is lost is found by walking.
  [[nodiscard]] int changes_fd() const;

 private:
  struct State;
  explicit Table(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde::proxy
