// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/sockmap/sockmap.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>

#include "actuators/proxy/sockmap/sockmap.abi.h"
#include "actuators/proxy/sockmap/sockmap_trial.hpp"
#include "kernel/object.hpp"
#include "kernel/socket_map.hpp"

extern "C" const std::uint8_t sonde_proxy_sockmap_bpf_object[];
extern "C" const std::uint8_t sonde_proxy_sockmap_bpf_object_end[];

namespace sonde::proxy {
namespace {

constexpr int tries = 100;

std::uint64_t cookie_of(int fd) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  return ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

tcp_info info_of(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
  return info;
}

// Bytes that have been written to a socket, plus a constant. Never too many: what is acknowledged between the two calls
// is missing.
std::uint64_t written_to(int fd) {
  const std::uint64_t acknowledged = info_of(fd).tcpi_bytes_acked;
  int queued = 0;
  ::ioctl(fd, SIOCOUTQ, &queued);
  return acknowledged + static_cast<std::uint64_t>(queued);
}

// Exactly, while nobody writes.
std::optional<std::uint64_t> written_exactly(int fd) {
  for (int i = 0; i < tries; ++i) {
    const std::uint64_t written = written_to(fd);
    if (written == written_to(fd)) return written;
  }
  return {};
}

}  // namespace

struct Sockmap::State {
  explicit State(kernel::Object loaded) : object(std::move(loaded)) {}

  kernel::Object object;
  int sockets_fd = -1;
  int directions_fd = -1;
  int open_fd = -1;
  std::uint64_t most = 0;  ///< connections
  std::atomic<std::uint64_t> now{0};
  std::atomic<std::uint64_t> taken{0};
  std::atomic<std::uint64_t> declined_full{0};
  std::atomic<std::uint64_t> declined_state{0};
  std::atomic<std::uint64_t> not_inserted{0};
};

namespace {

class SockmapRelay : public KernelRelay {
 public:
  SockmapRelay(std::shared_ptr<Sockmap::State> state, const SocketPair& pair)
      : state_(std::move(state)),
        fds_{pair.client_fd, pair.upstream_fd},
        cookies_{cookie_of(pair.client_fd), cookie_of(pair.upstream_fd)} {}
  ~SockmapRelay() override;

  void begin() override;
  [[nodiscard]] Carried carried() const override;
  [[nodiscard]] bool delivered(Direction direction) override;
  [[nodiscard]] bool may_write(Direction direction) override;
  // What is passed to user space lies in the queue of the sk_psock, which only recvmsg() reads.
  [[nodiscard]] bool may_splice(Direction direction) const override {
    return !inserted_[static_cast<std::size_t>(direction)];
  }

 private:
  // Sides by the direction that starts there.
  [[nodiscard]] sonde_relay_direction direction_from(std::size_t side) const;
  [[nodiscard]] std::uint64_t written(std::size_t side) const { return written_to(fds_[1 - side]) - written_[side]; }

  std::shared_ptr<Sockmap::State> state_;
  std::array<int, 2> fds_;
  std::array<std::uint64_t, 2> cookies_;
  std::array<std::uint64_t, 2> written_{};     ///< to the other side before any byte of this direction
  std::array<std::uint64_t, 2> may_write_at_;  ///< `passed_at` for which it has been found that user space may write
  std::array<bool, 2> inserted_{};
};

SockmapRelay::~SockmapRelay() {
  for (std::size_t side = 0; side < 2; ++side) {
    if (inserted_[side]) (void)kernel::map_delete(state_->sockets_fd, &cookies_[side]);
    (void)kernel::map_delete(state_->directions_fd, &cookies_[side]);
  }
  --state_->now;
}

// A socket that is in the map once stays there: what was passed to user space and not read yet is lost when it leaves.
void SockmapRelay::begin() {
  may_write_at_ = {~std::uint64_t{0}, ~std::uint64_t{0}};
  for (std::size_t side = 0; side < 2; ++side) {
    const auto written = written_exactly(fds_[1 - side]);
    sonde_relay_direction direction{};
    direction.peer = cookies_[1 - side];
    direction.passing = 1;
    if (!written || !kernel::map_update(state_->directions_fd, &cookies_[side], &direction)) {
      ++state_->not_inserted;
      return;
    }
    written_[side] = *written;
  }
  for (std::size_t side = 0; side < 2; ++side) {
    const auto fd = static_cast<std::uint64_t>(fds_[side]);
    inserted_[side] = static_cast<bool>(kernel::map_update(state_->sockets_fd, &cookies_[side], &fd));
  }
  sonde_relay_pair pair{};
  pair.client = cookies_[0];
  pair.upstream = cookies_[1];
  const auto opened =
      kernel::run_with_data(state_->open_fd, {reinterpret_cast<const std::uint8_t*>(&pair), sizeof(pair)});
  if (!inserted_[0] || !inserted_[1] || !opened || *opened != 1) ++state_->not_inserted;
  // What came before is in the queue still and makes no event; this makes the kernel look (tcp_set_rcvlowat()).
  for (std::size_t side = 0; side < 2; ++side) {
    const int one = 1;
    if (inserted_[side]) ::setsockopt(fds_[side], SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
  }
}

sonde_relay_direction SockmapRelay::direction_from(std::size_t side) const {
  sonde_relay_direction direction{};
  (void)kernel::map_lookup(state_->directions_fd, &cookies_[side], &direction);
  return direction;
}

Carried SockmapRelay::carried() const {
  return {.to_upstream = direction_from(0).redirected, .to_client = direction_from(1).redirected};
}

bool SockmapRelay::delivered(Direction direction) {
  const auto side = static_cast<std::size_t>(direction);
  if (!inserted_[side]) return true;
  const auto state = direction_from(side);
  return state.broken == 0 && written(side) == state.taken;
}

bool SockmapRelay::may_write(Direction direction) {
  const auto side = static_cast<std::size_t>(direction);
  if (!inserted_[side]) return true;
  const auto state = direction_from(side);
  if (state.broken != 0) return false;
  if (may_write_at_[side] == state.passed_at || written(side) >= state.passed_at) {
    may_write_at_[side] = state.passed_at;
    return true;
  }
  return false;
}

Result<kernel::Object> load(const SockmapOptions& options) {
  const auto size = static_cast<std::size_t>(sonde_proxy_sockmap_bpf_object_end - sonde_proxy_sockmap_bpf_object);
  auto object = kernel::Object::open({sonde_proxy_sockmap_bpf_object, size}, "sonde_proxy");
  if (!object) return object;
  for (const char* map : {"RELAY_MAP", "RELAY_STATE"})
    if (auto done = object->set_max_entries(map, options.entries); !done) return std::unexpected(done.error());
  if (auto done = object->load(); !done) return std::unexpected(done.error());
  if (auto done = kernel::attach_to_socket_map(*object, "redirect_skb", "RELAY_MAP"); !done)
    return std::unexpected(done.error());
  return object;
}

}  // namespace

Sockmap::Sockmap(std::shared_ptr<State> state) : state_(std::move(state)) {}
Sockmap::~Sockmap() = default;

Result<std::unique_ptr<Sockmap>> Sockmap::make(const SockmapOptions& options) {
  auto object = load(options);
  if (!object) return std::unexpected(object.error());
  auto state = std::make_shared<State>(std::move(*object));
  const auto sockets = state->object.map_fd("RELAY_MAP");
  const auto directions = state->object.map_fd("RELAY_STATE");
  const auto open = state->object.program_fd("open_relay");
  if (!sockets) return std::unexpected(sockets.error());
  if (!directions) return std::unexpected(directions.error());
  if (!open) return std::unexpected(open.error());
  state->sockets_fd = *sockets;
  state->directions_fd = *directions;
  state->open_fd = *open;
  state->most = options.entries / 2;
  std::unique_ptr<Sockmap> path(new Sockmap(std::move(state)));
  if (auto held = sender_is_held_back(*path); !held) return std::unexpected(held.error());
  return path;
}

std::unique_ptr<KernelRelay> Sockmap::take(const SocketPair& pair) {
  // Both established: a socket whose peer has ended its stream is not let into the map.
  if (info_of(pair.client_fd).tcpi_state != BPF_TCP_ESTABLISHED ||
      info_of(pair.upstream_fd).tcpi_state != BPF_TCP_ESTABLISHED) {
    ++state_->declined_state;
    return nullptr;
  }
  if (++state_->now > state_->most) {
    --state_->now;
    ++state_->declined_full;
    return nullptr;
  }
  ++state_->taken;
  return std::make_unique<SockmapRelay>(state_, pair);
}

SockmapCounters Sockmap::counters() const {
  return {state_->taken, state_->declined_full, state_->declined_state, state_->not_inserted};
}

}  // namespace sonde::proxy
