// SPDX-License-Identifier: Apache-2.0
#include "sensors/packets/readers.hpp"

#include <arpa/inet.h>
#include <sonde/abi/owner.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "kernel/perf_reader.hpp"
#include "kernel/ring_reader.hpp"

namespace sonde::packets {
namespace {

// Below the high-water mark nobody wakes the reader; it looks again after this long, which bounds the latency.
constexpr std::chrono::milliseconds poll_interval{10};
constexpr std::size_t smallest_ring = 256 * 1024;

class RingsReader final : public Reader {
 public:
  RingsReader(std::vector<kernel::RingReader> rings, std::vector<Fd> maps, Fd epoll)
      : rings_(std::move(rings)), maps_(std::move(maps)), epoll_(std::move(epoll)) {}

  Result<void> read(pipeline::PacketBatch& batch, std::chrono::milliseconds timeout) override {
    for (auto& ring : rings_) ring.release();
    batch.size = 0;
    refresh_clock();
    if (!drained_ || timeout.count() == 0) fill(batch);
    for (auto waited = poll_interval * 0; batch.size == 0 && waited < timeout; waited += poll_interval) {
      epoll_event event{};
      ::epoll_wait(epoll_.get(), &event, 1, static_cast<int>(std::min(poll_interval, timeout).count()));
      fill(batch);
    }
    drained_ = batch.size < pipeline::PacketBatch::capacity;
    return {};
  }

 private:
  void fill(pipeline::PacketBatch& batch) {
    if (rings_.size() == 1)
      fill_from_one(rings_.front(), batch);
    else
      fill_merged(batch);
  }

  void fill_from_one(kernel::RingReader& ring, pipeline::PacketBatch& batch) {
    while (batch.size < pipeline::PacketBatch::capacity) {
      const auto record = ring.peek();
      if (record.empty()) return;
      add(record, batch);
      ring.advance();
    }
  }

  // Oldest record first. A ring is looked at again only when it was taken from, so a read costs rings + packets * rings
  // comparisons; the heads are kept to make these cheap.
  void fill_merged(pipeline::PacketBatch& batch) {
    heads_.clear();
    for (auto& ring : rings_) heads_.push_back(ring.peek());
    while (batch.size < pipeline::PacketBatch::capacity) {
      std::size_t oldest = rings_.size();
      for (std::size_t i = 0; i < heads_.size(); ++i)
        if (!heads_[i].empty() && (oldest == rings_.size() || time(heads_[i]) < time(heads_[oldest]))) oldest = i;
      if (oldest == rings_.size()) return;
      add(heads_[oldest], batch);
      rings_[oldest].advance();
      heads_[oldest] = rings_[oldest].peek();
    }
  }

  static std::uint64_t time(std::span<const std::uint8_t> record) {
    std::uint64_t ts_ns = 0;  // the first member of every record
    std::memcpy(&ts_ns, record.data(), sizeof(ts_ns));
    return ts_ns;
  }

  std::vector<kernel::RingReader> rings_;
  std::vector<std::span<const std::uint8_t>> heads_;
  std::vector<Fd> maps_;  ///< polled by epoll_
  // After a drained ring the reader sleeps first: chasing the kernel record by record costs both sides cache misses.
  bool drained_ = true;
  Fd epoll_;
};

class PerfRingsReader final : public Reader {
 public:
  explicit PerfRingsReader(kernel::PerfReader perf) : perf_(std::move(perf)) {}

  Result<void> read(pipeline::PacketBatch& batch, std::chrono::milliseconds timeout) override {
    batch.size = 0;
    rebuilt_.clear();
    refresh_clock();
    for (auto waited = poll_interval * 0; batch.size == 0 && waited <= timeout; waited += poll_interval) {
      const auto wait = std::min(poll_interval, timeout - waited);
      auto records = perf_.read(pipeline::PacketBatch::capacity, static_cast<int>(wait.count()));
      if (!records) return std::unexpected(records.error());
      for (const auto& record : *records) add_perf(record, batch);
    }
    std::ranges::stable_sort(batch.packets.begin(), batch.packets.begin() + static_cast<long>(batch.size), {},
                             [](const Packet& packet) { return packet.wall_ns; });
    return {};
  }

 private:
  void add_perf(std::span<const std::uint8_t> record, pipeline::PacketBatch& batch) {
    if (record.size() < sizeof(sonde_perf_packet)) {
      ++malformed_;
      return;
    }
    const auto& packet = *reinterpret_cast<const sonde_perf_packet*>(record.data());
    const auto fixed =
        sizeof(packet) - sizeof(packet.event) + packet.event.header.len;  // with the owner, if there is one
    if (packet.event.header.len < sizeof(packet.event) || record.size() < fixed) {
      ++malformed_;
      return;
    }
    const auto bytes = record.subspan(fixed);
    const std::size_t tag_size = packet.tag_tpid != 0 && packet.event.captured_size > 0 ? 4 : 0;
    if (bytes.size() + tag_size < packet.event.captured_size) {
      ++malformed_;
      return;
    }
    add(packet.event, tag_size == 0 ? bytes.data() : insert_tag(packet, bytes), batch);
  }

  // The packet as on the wire, with the tag that the kernel kept beside it.
  const std::uint8_t* insert_tag(const sonde_perf_packet& packet, std::span<const std::uint8_t> bytes) {
    constexpr std::size_t addresses = 12;
    const std::uint16_t tag[2] = {htons(packet.tag_tpid), htons(packet.tag_tci)};
    const auto* first = reinterpret_cast<const std::uint8_t*>(tag);
    auto& wire = rebuilt_.emplace_back(bytes.begin(), bytes.end());
    wire.resize(std::max(wire.size(), addresses));
    wire.insert(wire.begin() + addresses, first, first + sizeof(tag));
    return wire.data();
  }

  kernel::PerfReader perf_;
  std::vector<std::vector<std::uint8_t>> rebuilt_;
};

}  // namespace

void Reader::add(std::span<const std::uint8_t> record, pipeline::PacketBatch& batch) {
  const auto& event = *reinterpret_cast<const sonde_packet_event*>(record.data());
  const std::size_t fixed = event.header.len;  // with the owner, if there is one
  if (record.size() < sizeof(event) || event.header.type != SONDE_EVENT_PACKET || fixed < sizeof(event) ||
      record.size() < fixed || event.captured_size > record.size() - fixed) {
    ++malformed_;
    return;
  }
  add(event, record.data() + fixed, batch);
}

void Reader::add(const sonde_packet_event& event, const std::uint8_t* data, pipeline::PacketBatch& batch) {
  batch.packets[batch.size++] = {&event, data, clock_.wall_ns(event.header.ts_ns)};
  ++delivered_;
}

const std::uint8_t* owner_bytes(const sonde_packet_event& event, sonde_transport transport) {
  if (event.header.len < sizeof(event) + sizeof(sonde_socket_owner)) return nullptr;
  const auto offset = transport == SONDE_TRANSPORT_RING ? sizeof(event) : sizeof(sonde_perf_packet);
  return reinterpret_cast<const std::uint8_t*>(&event) + offset;
}

std::size_t ring_bytes(std::uint32_t rings, std::size_t total_bytes) {
  return std::bit_ceil(std::max(total_bytes / rings, smallest_ring));
}

Result<std::unique_ptr<Reader>> make_ring_reader(const kernel::Object& object, std::uint32_t rings,
                                                 std::size_t total_bytes) {
  auto array = object.map_fd("sonde_rings");
  if (!array) return std::unexpected(array.error());
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("cannot create an epoll instance");
  const auto size = ring_bytes(rings, total_bytes);
  std::vector<kernel::RingReader> readers;
  std::vector<Fd> maps;
  for (std::uint32_t i = 0; i < rings; ++i) {
    auto ring = kernel::create_ring("sonde_ring", size);
    if (!ring) return std::unexpected(ring.error());
    const int fd = ring->get();
    auto reader = kernel::RingReader::make(fd, size);
    if (!reader) return std::unexpected(reader.error());
    auto added = kernel::map_update(*array, &i, &fd);
    if (!added) return std::unexpected(added.error());
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;  // woken by a wake-up, not by what lies in the ring
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("cannot poll a ring buffer");
    readers.push_back(std::move(*reader));
    maps.push_back(std::move(*ring));
  }
  return std::make_unique<RingsReader>(std::move(readers), std::move(maps), std::move(epoll));
}

Result<std::unique_ptr<Reader>> make_perf_reader(const kernel::Object& object, std::size_t total_bytes) {
  auto map = object.map_fd("sonde_perf");
  if (!map) return std::unexpected(map.error());
  auto perf = kernel::PerfReader::make(*map, total_bytes / static_cast<std::size_t>(kernel::possible_cpus()));
  if (!perf) return std::unexpected(perf.error());
  return std::make_unique<PerfRingsReader>(std::move(*perf));
}

}  // namespace sonde::packets
