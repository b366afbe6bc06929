// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sonde/connection.hpp"
#include "sonde/drop.hpp"
#include "sonde/export.hpp"
#include "sonde/filter.hpp"
#include "sonde/loss.hpp"
#include "sonde/owner.hpp"
#include "sonde/result.hpp"
#include "sonde/retransmission.hpp"

namespace sonde {

/// What to watch and where it goes. The same for retransmissions, drops and connections.
struct EventOptions {
  FilterOptions filter;  ///< an event matches as a packet between its endpoints would; see each event's manual
  OwnerOptions owner;
  std::string output = "text";                ///< text, json; empty: only the handler
  bool summary = false;                       ///< no line an event; what they add up to at the end
  bool color = false;                         ///< ANSI colours in text
  std::uint64_t count = 0;                    ///< end after this many events; 0: no limit
  std::chrono::nanoseconds duration{};        ///< end after this time; 0: no limit
  std::optional<std::uint64_t> buffer_bytes;  ///< kernel to user space; unset: 4 MiB
};

struct EventSummary {
  LossReport loss;
  std::uint64_t events = 0;  ///< that were output
  std::chrono::nanoseconds duration{};
  std::optional<Error> error;  ///< what ended it before its time
};

/// Events of one kind, with their owners, as they happen on this host, in all network namespaces. Event is
/// Retransmission, Drop or Connection. Making it attaches to the kernel; destroying it, or the death of the process,
/// detaches and leaves nothing behind. Nothing on the host changes.
///
///     auto watch = sonde::Retransmissions::make({.output = ""}, [](const sonde::Retransmission& event) { ... });
///     if (!watch) return complain(watch.error().text());
///     auto summary = watch->run();   // until a limit or watch->stop()
template <class Event>
class SONDE_EXPORT EventStream {
 public:
  using Handler = std::function<void(const Event&)>;

  /// Checks every word, loads and attaches. `handler` is called by the thread of run().
  [[nodiscard]] static Result<EventStream> make(const EventOptions& options, Handler handler = {});

  EventStream(EventStream&&) noexcept;
  EventStream& operator=(EventStream&&) noexcept;
  ~EventStream();

  /// Which hooks were taken and why, what the user should know.
  [[nodiscard]] std::vector<std::string> notices() const;
  /// Blocks until a limit or stop(); drains what was taken, detaches. Call once.
  [[nodiscard]] EventSummary run();
  /// Ends run(). Safe from any thread and from a signal handler.
  void stop() noexcept;

 private:
  struct State;
  explicit EventStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

using Retransmissions = EventStream<Retransmission>;
using Drops = EventStream<Drop>;
using Connections = EventStream<Connection>;

extern template class EventStream<Retransmission>;
extern template class EventStream<Drop>;
extern template class EventStream<Connection>;

/// What is open now, in all network namespaces: connections, listening sockets and UDP sockets with their owners.
/// Takes filter, owner, output and color of the options, prints to standard output unless output is empty.
[[nodiscard]] SONDE_EXPORT Result<std::vector<Connection>> connection_snapshot(const EventOptions& options);

}  // namespace sonde
