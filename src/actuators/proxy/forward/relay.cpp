// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/relay.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "actuators/proxy/forward/hand_over.hpp"
#include "actuators/proxy/forward/relay_pool.hpp"
#include "actuators/proxy/forward/relay_stream.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

enum class Side : std::uint8_t { client, upstream };

// How soon a path of the kernel is asked again whether it has delivered: at first after the next events, then so often.
constexpr std::uint8_t turns_before_waiting = 30;
constexpr auto path_interval = 5ms;

void set_option(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof(value)); }

// close() then sends a reset in place of what is still queued.
void reset_on_close(int fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

bool failed(StreamStep step) { return step == StreamStep::read_failed || step == StreamStep::write_failed; }

}  // namespace

void prepare_for_relay(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

const char* relay_end_reason_name(RelayEndReason reason) {
  static constexpr std::array<const char*, 7> names = {
      "client-closed", "upstream-closed", "client-reset", "upstream-reset", "idle", "half-closed", "stopped"};
  return names.at(static_cast<std::size_t>(reason));
}

struct Relay::State final : Waker, Turn {
  State(Relay& relay, Loop& on, RelayPool& shared, std::unique_ptr<Channel> of_client,
        std::unique_ptr<Channel> of_upstream, std::unique_ptr<KernelRelay> path, const RelayOptions& options,
        RelayObserver& who)
      : owner(relay),
        loop(on),
        pool(shared.state()),
        observer(who),
        client(std::move(of_client)),
        upstream(std::move(of_upstream)),
        kernel(std::move(path)),
        timer([this] { look_at_time(); }),
        idle(options.idle),
        half_closed(options.half_closed),
        active(on.now()),
        hand_over(options.wire, options.wire_after_bytes, options.wire_after, on.now()),
        splice(options.splice),
        client_prepared(options.client_prepared) {}
  ~State() override {
    if (!over) close(true);
  }

  void wake(Channel&) override { go_on(); }
  void run_turn() override {
    if (over)
      observer.relay_ended(owner, result);
    else
      go_on();
  }

  void start();
  void go_on();
  void look_at_time();
  void end(RelayEndReason reason, bool reset);
  [[nodiscard]] RelayResult count() const;

  Relay& owner;
  Loop& loop;
  RelayPool::State& pool;
  RelayObserver& observer;
  std::unique_ptr<Channel> client;
  std::unique_ptr<Channel> upstream;
  std::unique_ptr<KernelRelay> kernel;
  RelayStream to_upstream;
  RelayStream to_client;
  Timer timer;
  std::chrono::milliseconds idle;
  std::chrono::milliseconds half_closed;
  Clock::time_point active;  ///< when the last byte was seen
  Carried kernel_seen;       ///< by when the timer fired last
  HandOver hand_over;
  RelayResult before_wire;  ///< what had been carried when the connection joined it
  RelayResult result;       ///< once it is over
  bool splice;
  bool client_prepared;
  bool begun = false;  ///< the kernel's path may carry the client's bytes
  bool starting = false;
  bool over = false;
  bool waits_for_path = false;     ///< something must be asked of `kernel` again
  std::uint8_t soon = 0;           ///< times in a row that it has been
  bool upstream_finished = false;  ///< the end of the client's stream has been passed on
  bool client_finished = false;
  RelayEndReason first_end = RelayEndReason::stopped;  ///< whose stream ended first

 private:
  void close(bool reset);
  void reset_by(Side side);
  struct Steps {
    StreamStep outward;
    StreamStep inward;
  };
  [[nodiscard]] Steps pump_both();
  [[nodiscard]] std::optional<Side> failed_side(const Steps& steps) const;
  [[nodiscard]] StreamStep pump_to_upstream();
  [[nodiscard]] StreamStep pump_to_client() {
    return to_client.pump(*upstream, *client, pool, may_splice(Direction::to_client), gate(Direction::to_client));
  }
  [[nodiscard]] WriteGate gate(Direction direction) const { return {begun ? kernel.get() : nullptr, direction}; }
  [[nodiscard]] bool may_splice(Direction direction) const {
    return splice && (!begun || !kernel || kernel->may_splice(direction));
  }
  /// False: that was the end of the relay.
  [[nodiscard]] bool pass_on_end(Direction direction);
  void arm();
  void join_wire();
  void leave_for_wire();
  [[nodiscard]] std::uint64_t moved() const {
    return to_upstream.copied() + to_upstream.spliced() + to_client.copied() + to_client.spliced();
  }
  [[nodiscard]] Carried carried_by_kernel() const {
    if (hand_over.is_joining()) return hand_over.carried();
    return kernel ? kernel->carried() : Carried{};
  }
  [[nodiscard]] bool half_ended() const { return first_end != RelayEndReason::stopped; }
  [[nodiscard]] std::chrono::milliseconds limit() const { return half_ended() ? std::min(idle, half_closed) : idle; }
};

void Relay::State::start() {
  if (!client_prepared) prepare_for_relay(client->fd());
  prepare_for_relay(upstream->fd());
  client->set_waker(this);
  upstream->set_waker(this);
  starting = true;
  go_on();
  starting = false;
}

StreamStep Relay::State::pump_to_upstream() {
  if (kernel && !begun) {
    const StreamStep step = to_upstream.flush(*upstream, {});
    if (step != StreamStep::waits_to_read) return step;
    if (!to_client.holds()) {
      begun = true;
      kernel->begin();
    }
  }
  return to_upstream.pump(*client, *upstream, pool, may_splice(Direction::to_upstream), gate(Direction::to_upstream));
}

// A reset overtakes nothing that could still be written: both ways are pumped before it is passed on. The peer that
// refuses a write may have sent its last bytes just before.
Relay::State::Steps Relay::State::pump_both() {
  StreamStep outward = pump_to_upstream();
  if (outward == StreamStep::write_failed) upstream->suppose(EPOLLIN);
  StreamStep inward = pump_to_client();
  if (inward == StreamStep::write_failed && !failed(outward)) {
    client->suppose(EPOLLIN);
    outward = pump_to_upstream();
  }
  while (failed(outward) && inward == StreamStep::turn_over) inward = pump_to_client();
  return {outward, inward};
}

// Whose socket has an error; the last two are errors that no read meets: nothing more is read from there, or not before
// the other side takes what is held.
std::optional<Side> Relay::State::failed_side(const Steps& steps) const {
  const auto [outward, inward] = steps;
  if (failed(outward)) return outward == StreamStep::read_failed ? Side::client : Side::upstream;
  if (failed(inward)) return inward == StreamStep::read_failed ? Side::upstream : Side::client;
  if ((client->ready() & EPOLLERR) && outward != StreamStep::turn_over) return Side::client;
  if ((upstream->ready() & EPOLLERR) && inward != StreamStep::turn_over) return Side::upstream;
  return {};
}

void Relay::State::go_on() {
  const std::uint64_t before = moved();
  const Steps steps = pump_both();
  if (moved() != before) active = loop.now();
  if (const auto side = failed_side(steps)) return reset_by(*side);
  const auto [outward, inward] = steps;
  if (outward == StreamStep::turn_over || inward == StreamStep::turn_over) pool.turns->add(*this);

  const bool was_half_ended = half_ended();
  if (outward == StreamStep::ended && !pass_on_end(Direction::to_upstream)) return;
  if (inward == StreamStep::ended && !pass_on_end(Direction::to_client)) return;
  if (upstream_finished && client_finished) return end(first_end, false);
  waits_for_path = outward == StreamStep::waits_for_path || inward == StreamStep::waits_for_path ||
                   (outward == StreamStep::ended && !upstream_finished) ||
                   (inward == StreamStep::ended && !client_finished);
  if (!waits_for_path) soon = 0;
  if (waits_for_path && soon < turns_before_waiting) {
    ++soon;
    pool.turns->add(*this);
  }
  if (!half_ended() && hand_over.is_due(moved(), loop.now())) join_wire();
  if (!timer.is_set() || was_half_ended != half_ended() || waits_for_path) arm();
}

// From here on only what is on its way through the two sockets is relayed; see wire.hpp.
void Relay::State::join_wire() {
  before_wire = count();
  hand_over.join({client->fd(), upstream->fd(), to_upstream.held(), to_client.held(), hand_over.insists(loop.now())},
                 loop.now());
  if (hand_over.is_joining() || hand_over.holds_up()) arm();
}

void Relay::State::leave_for_wire() {
  over = true;
  timer.cancel();
  leave();
  result = before_wire;
  observer.relay_handed_over(owner, hand_over.index(), client->release(), upstream->release(), before_wire);
}

bool Relay::State::pass_on_end(Direction direction) {
  const bool outward = direction == Direction::to_upstream;
  if (!half_ended()) {
    first_end = outward ? RelayEndReason::client_closed : RelayEndReason::upstream_closed;
    active = loop.now();
    hand_over.give_up(client->fd(), upstream->fd());
  }
  bool& finished = outward ? upstream_finished : client_finished;
  if (finished) return true;
  if (kernel && !kernel->delivered(direction)) {
    // The kernel says so early, too: tcp_bpf_recvmsg_parser() looks at RCV_SHUTDOWN while bytes wait for its work
    // queue.
    (outward ? to_upstream : to_client).read_again();
    push_held_back((outward ? upstream : client)->fd());
    return true;
  }
  finished = true;
  if (upstream_finished && client_finished) return true;  // close() says the rest
  if (::shutdown((outward ? upstream : client)->fd(), SHUT_WR) == 0) return true;
  reset_by(outward ? Side::upstream : Side::client);  // ENOTCONN: it has been reset
  return false;
}

// What the kernel carries is only seen when the timer fires, so it fires oftener then: a connection is held for idle
// up to a quarter later than it is.
void Relay::State::arm() {
  auto when = active + limit();
  if (kernel) when = std::min(when, loop.now() + std::max<Clock::duration>(limit() / 4, 1ms));
  if (waits_for_path) when = std::min(when, loop.now() + path_interval);
  if (hand_over.is_joining() || hand_over.holds_up()) when = std::min(when, hand_over.next_try());
  timer.set(loop, when);
}

void Relay::State::look_at_time() {
  if (hand_over.is_joining() && loop.now() >= hand_over.next_try() &&
      hand_over.settle(client->fd(), upstream->fd(), loop.now()))
    return leave_for_wire();
  if (kernel || hand_over.is_joining()) {
    const Carried seen = carried_by_kernel();
    if (seen.to_upstream != kernel_seen.to_upstream || seen.to_client != kernel_seen.to_client) active = loop.now();
    kernel_seen = seen;
  }
  if (loop.now() - active >= limit())
    return end(half_ended() && half_closed < idle ? RelayEndReason::half_closed : RelayEndReason::idle, true);
  if (waits_for_path || hand_over.holds_up()) return go_on();
  arm();
}

void Relay::State::reset_by(Side side) {
  end(side == Side::client ? RelayEndReason::client_reset : RelayEndReason::upstream_reset, true);
}

RelayResult Relay::State::count() const {
  if (over) return result;
  if (hand_over.is_joining()) return before_wire;
  return {.reason = RelayEndReason::stopped,
          .copied = {to_upstream.copied(), to_client.copied()},
          .spliced = {to_upstream.spliced(), to_client.spliced()},
          .kernel = kernel ? kernel->carried() : Carried{}};
}

void Relay::State::close(bool reset) {
  over = true;
  timer.cancel();
  leave();
  kernel.reset();
  if (hand_over.is_joining()) hand_over.abort(client->fd(), upstream->fd());
  if (reset) {
    for (const int fd : {client->fd(), upstream->fd()}) {
      push_held_back(fd);
      reset_on_close(fd);
    }
  }
  client->close();
  upstream->close();
}

// The observer may destroy this.
void Relay::State::end(RelayEndReason reason, bool reset) {
  result = count();
  if (hand_over.is_joining()) result.kernel = hand_over.carried();
  result.reason = reason;
  close(reset);
  if (starting) return pool.turns->add(*this);
  const RelayResult told = result;
  observer.relay_ended(owner, told);
}

Relay::Relay(Loop& loop, RelayPool& pool, std::unique_ptr<Channel> client, std::unique_ptr<Channel> upstream,
             std::vector<std::uint8_t> to_upstream, std::unique_ptr<KernelRelay> kernel, const RelayOptions& options,
             RelayObserver& observer)
    : state_(std::make_unique<State>(*this, loop, pool, std::move(client), std::move(upstream), std::move(kernel),
                                     options, observer)) {
  state_->to_upstream.hold(std::move(to_upstream));
}

Relay::~Relay() = default;

void Relay::start() { state_->start(); }

void Relay::abort(RelayEndReason reason) {
  if (!state_->over) return state_->end(reason, true);
  if (!state_->is_waiting()) return;
  state_->leave();
  state_->run_turn();
}

RelayResult Relay::so_far() const { return state_->count(); }

}  // namespace sonde::proxy
