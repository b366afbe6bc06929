// SPDX-License-Identifier: Apache-2.0
#include "hand_written.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "actuators/proxy/wire/frozen_sockets.hpp"
#include "base/socket_address.hpp"
#include "base/wall_clock.hpp"
#include "kernel/object.hpp"

namespace sonde::proxy::test {
namespace {

using namespace std::chrono_literals;

void check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

struct Connected {
  Fd accepted, connected;
};

Connected connect_over_loopback() {
  Endpoint loopback;
  loopback.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
  const SocketAddress address(loopback);
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  check(::bind(listener.get(), address.get(), address.size()) == 0 && ::listen(listener.get(), 1) == 0, "listen");
  const SocketAddress bound(local_endpoint(listener.get()));
  Connected pair;
  pair.connected.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  check(::connect(pair.connected.get(), bound.get(), bound.size()) == 0, "connect");
  pair.accepted.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  check(static_cast<bool>(pair.accepted), "accept");
  return pair;
}

std::uint32_t sequence(const Fd& frozen, int queue) {
  std::uint32_t number = 0;
  socklen_t size = sizeof(number);
  check(::setsockopt(frozen.get(), IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) == 0 &&
            ::getsockopt(frozen.get(), IPPROTO_TCP, TCP_QUEUE_SEQ, &number, &size) == 0,
        "TCP_QUEUE_SEQ");
  return number;
}

// Of the peer at the other end of `from`, whose packets leave by `to`.
void fill(sonde_wire_side_state& side, const Fd& from, const Fd& to) {
  const auto flow = wire_flow(local_endpoint(to.get()), remote_endpoint(to.get()));
  std::ranges::copy(flow.source, side.source);
  std::ranges::copy(flow.destination, side.destination);
  side.source_port = flow.source_port;
  side.destination_port = flow.destination_port;
  side.acknowledgement = sequence(from, TCP_SEND_QUEUE);
  side.start = sequence(from, TCP_RECV_QUEUE);
  side.position = side.start;
  side.last_seen = static_cast<std::uint64_t>(monotonic_ns());
}

}  // namespace

HandWritten splice_by_hand(Table& table, const std::string& record) {
  HandWritten made;
  auto of_client = connect_over_loopback();
  auto of_upstream = connect_over_loopback();
  made.client = std::move(of_client.connected);
  made.proxy_to_client = std::move(of_client.accepted);
  made.proxy_to_upstream = std::move(of_upstream.connected);
  made.upstream = std::move(of_upstream.accepted);
  if (!freeze_socket(made.proxy_to_client.get()) || !freeze_socket(made.proxy_to_upstream.get()))
    throw std::runtime_error("cannot freeze a socket");
  const auto index = table.take();
  if (!index) throw std::runtime_error("the table is full");
  made.index = *index;
  auto& connection = table.at(*index);
  fill(connection.sides[SONDE_WIRE_CLIENT], made.proxy_to_client, made.proxy_to_upstream);
  fill(connection.sides[SONDE_WIRE_UPSTREAM], made.proxy_to_upstream, made.proxy_to_client);
  connection.joined = connection.spliced = static_cast<std::uint64_t>(monotonic_ns());
  made.ends = ends_of(connection);
  for (const auto& [source, destination, side] :
       {std::tuple{made.ends.client, made.ends.proxy_to_client, SONDE_WIRE_CLIENT},
        std::tuple{made.ends.upstream, made.ends.proxy_to_upstream, SONDE_WIRE_UPSTREAM}}) {
    const auto flow = wire_flow(source, destination);
    const sonde_wire_place place{*index, static_cast<std::uint32_t>(side)};
    if (!kernel::map_update(table.flows_fd(), &flow, &place)) throw std::runtime_error("FLOWS");
  }
  if (!table.write_record(*index, record)) throw std::runtime_error("RECORDS");
  connection.owner = 0;
  connection.phase = SONDE_WIRE_SPLICED;
  return made;
}

int read_error(const Fd& peer) {
  char byte = 0;
  const auto size = ::recv(peer.get(), &byte, 1, MSG_DONTWAIT);
  return size < 0 ? errno : static_cast<int>(size);
}

int wait_for_error(const Fd& peer) {
  int error = EAGAIN;
  for (int i = 0; i < 300 && (error = read_error(peer)) == EAGAIN; ++i) std::this_thread::sleep_for(10ms);
  return error;
}

void Recorder::adopted(std::uint32_t index, const std::string& record) {
  const std::lock_guard lock(mutex_);
  adopted_.emplace_back(index, record);
}

void Recorder::moved(std::uint32_t, std::uint64_t bytes_received, std::uint64_t bytes_sent) {
  const std::lock_guard lock(mutex_);
  received_ += bytes_received;
  sent_ += bytes_sent;
}

void Recorder::ended(std::uint32_t index, const WireEnd& end) {
  const std::lock_guard lock(mutex_);
  ended_.push_back({index, end});
}

std::vector<Recorder::Ended> Recorder::ends() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

std::vector<Recorder::Ended> Recorder::wait_for_ends(std::size_t count) const {
  for (int i = 0; i < 500 && ends().size() < count; ++i) std::this_thread::sleep_for(10ms);
  return ends();
}

std::vector<std::pair<std::uint32_t, std::string>> Recorder::adoptions() const {
  const std::lock_guard lock(mutex_);
  return adopted_;
}

std::pair<std::uint64_t, std::uint64_t> Recorder::bytes() const {
  const std::lock_guard lock(mutex_);
  return {received_, sent_};
}

}  // namespace sonde::proxy::test
