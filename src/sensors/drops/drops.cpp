// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/drops.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/wall_clock.hpp"
#include "filter/endpoints.hpp"
#include "kernel/symbols.hpp"
#include "kernel/tracing.hpp"
#include "sensors/drops/decode.hpp"
#include "sensors/drops/reasons.hpp"
#include "sensors/drops/tuple_owners.hpp"

extern "C" {
extern const std::uint8_t sonde_drops_bpf_object[];
extern const std::uint8_t sonde_drops_bpf_object_end[];
}

namespace sonde::drops {
namespace {

constexpr int arguments_with_receiver = 4;  // Linux 6.11 (c53795d48ee8): rx_sk
constexpr int arguments_with_reason = 3;    // Linux 5.17 (c504e5c2f964)

const ReasonNames& running_kernel_reasons() { return kernel::enum_names("skb_drop_reason", "SKB_DROP_REASON_"); }

/// What decoding needs from one record to the next.
class Decoder {
 public:
  explicit Decoder(int find_socket_fd) : reasons_(running_kernel_reasons()), tuples_(ask_kernel(find_socket_fd)) {}

  std::optional<Drop> decode(std::span<const std::uint8_t> record, const WallClock& clock,
                             owners::OwnerTracking& owners) {
    auto drop = decode_packet(record);
    if (!drop) return drop;
    const auto raw = fixed_part(record);
    drop->wall_ns = clock.wall_ns(raw.header.ts_ns);
    drop->reason = reason_name(reasons_, raw.reason);
    answered_ping_ = is_answered_ping(raw, *drop);
    drop->function = kernel::function_at(raw.location);
    if (drop->interface.empty()) drop->interface = interfaces_.name(raw.network_namespace, raw.header.ifindex);
    drop->owner = owners.resolve(find_owner(raw, *drop));
    return drop;
  }

  /// Of the event that was decoded last.
  [[nodiscard]] bool is_drop() const { return !answered_ping_; }
  [[nodiscard]] std::uint64_t left_out() const { return tuples_.left_out(); }

 private:
  // By then the socket of an old packet may be somebody else's.
  static bool is_old(const sonde_drop_event& raw) {
    constexpr std::int64_t longest_ns = 1'000'000'000;
    return monotonic_ns() - static_cast<std::int64_t>(raw.header.ts_ns) > longest_ns;
  }

  sonde_socket_owner find_owner(const sonde_drop_event& raw, const Drop& drop) {
    const auto question = tuple_question(raw, drop.packet, tuple_trust(drop.reason));
    if (!question || is_old(raw)) return raw.owner;
    return tuples_.find(*question, TupleOwners::Clock::now());
  }

  const ReasonNames& reasons_;
  TupleOwners tuples_;
  InterfaceNames interfaces_;
  bool answered_ping_ = false;
};

// A FIN that waits behind data that was read is freed with the queue when the socket is closed: nothing was lost.
bool is_purged_close(const Drop& drop) {
  constexpr std::uint8_t fin = 1;
  return drop.reason == "QUEUE_PURGE" && drop.packet.protocol == IPPROTO_TCP && drop.packet.payload_size == 0 &&
         (drop.packet.tcp_flags & fin) != 0;
}

// A packet without headers is judged as one between its socket's addresses would be.
bool passes(const filter::CompiledFilter& filter, const Drop& drop) {
  if (!drop.bytes.empty()) return filter::matches(filter, drop.packet, drop.bytes);
  Socket socket;
  socket.protocol = drop.packet.protocol;
  const bool outgoing = drop.packet.direction == SONDE_DIRECTION_OUT;
  auto& source = outgoing ? socket.local : socket.remote;
  auto& destination = outgoing ? socket.remote : socket.local;
  std::ranges::copy(drop.packet.source_address, source.address.begin());
  std::ranges::copy(drop.packet.destination_address, destination.address.begin());
  source.port = drop.packet.source_port;
  destination.port = drop.packet.destination_port;
  return filter::matches_endpoints(filter, socket, static_cast<sonde_direction>(drop.packet.direction));
}

Result<void> set_constants(kernel::Object& object, const filter::CompiledFilter& filter) {
  const std::uint32_t receiver = kernel::tracepoint_arguments("kfree_skb") >= arguments_with_receiver;
  const std::uint32_t fields = filter::has_field_tests(*filter.fields);
  auto set = object.set_constant("sonde_has_rx_sk", receiver);
  if (set) set = object.set_constant("sonde_has_fields", fields);
  if (set) set = object.set_constant("sonde_reasons", reason_traits(running_kernel_reasons()));
  return set ? object.set_constant("filter", *filter.fields) : set;
}

Result<kernel::Object> load(const events::SensorRequest& request, const owners::OwnerTracking& owners) {
  auto object = kernel::Object::open({sonde_drops_bpf_object, sonde_drops_bpf_object_end}, "sonde_drops");
  if (!object) return object;
  auto done = events::prepare_ring(*object, request.buffer_bytes);
  if (done) done = set_constants(*object, request.filter);
  if (done) done = owners.share(*object);
  if (done) done = object->load();
  if (!done) return std::unexpected(done.error());
  return object;
}

Result<void> check_kernel() {
  const int arguments = kernel::tracepoint_arguments("kfree_skb");
  if (arguments >= arguments_with_reason) return {};
  return fail(ErrorKind::unsupported,
              arguments < 0 ? "this kernel does not describe its tracepoint kfree_skb"
                            : "this kernel does not tell why it frees packets",
              "needs Linux 5.17 with BTF");
}

// "; lost in the ring: 1200 NO_SOCKET in udp_rcv", the most frequent first.
std::string lost_note(int map_fd, const ReasonNames& reasons) {
  std::vector<std::pair<std::uint64_t, std::string>> lost;
  sonde_lost_drop key{};
  for (auto more = kernel::map_next_key(map_fd, nullptr, &key); more && *more;
       more = kernel::map_next_key(map_fd, &key, &key)) {
    std::uint64_t count = 0;
    if (const auto found = kernel::map_lookup(map_fd, &key, &count); found && *found)
      lost.emplace_back(count,
                        fmt::format("{} in {}", reason_name(reasons, key.reason), kernel::function_at(key.location)));
  }
  std::ranges::sort(lost, std::greater{});
  std::string note;
  for (const auto& [count, text] : lost) note += fmt::format("{}{} {}", note.empty() ? "" : ", ", count, text);
  return note.empty() ? note : "the ring had no room for " + note;
}

std::string hook_note(int lost_drops_fd, const Decoder& decoder) {
  auto note = lost_note(lost_drops_fd, running_kernel_reasons());
  if (decoder.left_out() > 0)
    note += fmt::format("{}owners not looked up for {} drops that came too fast", note.empty() ? "" : "; ",
                        decoder.left_out());
  return note;
}

Result<events::Sensor<Drop>> make_sensor(const events::SensorRequest& request) {
  auto owners = owners::OwnerTracking::start(request.owner);
  if (!owners) return std::unexpected(owners.error());
  auto object = load(request, **owners);
  if (!object) return std::unexpected(object.error());
  const auto find_socket = object->program_fd("sonde_find_socket");
  const auto lost_drops = object->map_fd("sonde_lost_drops");
  if (!find_socket || !lost_drops) return fail(ErrorKind::failed, "the drops object is not whole");
  const auto decoder = std::make_shared<Decoder>(*find_socket);
  events::Sensor<Drop> sensor{std::move(*owners), std::move(*object), {}, {}, {}, {}, {}};
  sensor.decode = [decoder](auto record, const WallClock& clock, owners::OwnerTracking& tracking) {
    return decoder->decode(record, clock, tracking);
  };
  sensor.wanted = [decoder, filter = request.filter, tracking = sensor.owners.get()](const Drop& drop) {
    return decoder->is_drop() && !is_purged_close(drop) && passes(filter, drop) && tracking->wanted(drop.owner);
  };
  sensor.hook_note = [decoder, fd = *lost_drops] { return hook_note(fd, *decoder); };
  return sensor;
}

}  // namespace

Result<std::unique_ptr<pipeline::EventSource<Drop>>> open(const events::SensorRequest& request) {
  if (auto able = check_kernel(); !able) return std::unexpected(able.error());
  auto sensor = make_sensor(request);
  if (!sensor) return std::unexpected(sensor.error());
  auto ring = events::open_ring(sensor->object, request.buffer_bytes);
  if (!ring) return std::unexpected(ring.error());
  for (const char* program : {"sonde_drop", "sonde_drop_nested"}) {
    auto link = kernel::attach_tracing(sensor->object, program);
    if (!link) return std::unexpected(link.error());
    sensor->links.push_back(std::move(*link));
  }
  return std::make_unique<events::SensorSource<Drop>>(std::move(*sensor), std::move(*ring));
}

}  // namespace sonde::drops
