// SPDX-License-Identifier: Apache-2.0
#include "sensors/afpacket/afpacket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <thread>

#include "sensors/afpacket/chunk_queue.hpp"
#include "sensors/afpacket/interface_names.hpp"
#include "sensors/afpacket/lane.hpp"

namespace sonde::afpacket {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr unsigned max_workers = 64;
constexpr std::size_t chunks_per_worker = 16;
constexpr milliseconds worker_wait{50};
// After stop() the last block arrives within two retire times; this is far beyond.
constexpr milliseconds drain_patience{1000};

class AfPacketSource final : public pipeline::Source {
 public:
  AfPacketSource(AfPacketOptions options) : options_(std::move(options)) {}

  Result<void> open();

  Result<void> read(pipeline::PacketBatch& batch, milliseconds timeout) override;
  Result<void> stop() override;
  [[nodiscard]] bool finished() const override { return finished_; }
  [[nodiscard]] std::vector<LossStage> loss() const override;
  [[nodiscard]] const InterfaceTable& interfaces() const override { return seen_->table(); }
  [[nodiscard]] std::vector<std::string> notices() const override;

 private:
  [[nodiscard]] bool any() const;
  [[nodiscard]] bool threaded() const { return lanes_.size() > 1; }
  Result<void> open_interface(const std::string& name, int ifindex);
  Result<Intake> open_intake(int ifindex, std::optional<std::uint16_t>& group);
  Result<void> accept();
  void start_workers();
  void work(Lane& lane, const std::stop_token& stop);

  Chunk* next_chunk(milliseconds timeout);
  void give_back();
  void take(const Chunk& chunk, pipeline::PacketBatch& batch);
  void finish_if_drained();
  [[nodiscard]] SocketCounts counts() const;

  AfPacketOptions options_;
  RingSize ring_size_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // one a worker
  std::unique_ptr<ChunkQueue> queue_;         // with more than one worker
  std::unique_ptr<Chunk> own_chunk_;          // with one
  Chunk* current_ = nullptr;                  // what the batch of the last read points into
  std::unique_ptr<SeenInterfaces> seen_;
  std::uint64_t walked_ = 0;
  std::uint64_t given_ = 0;
  bool stopped_ = false;
  bool finished_ = false;
  SocketCounts final_counts_;
  Clock::time_point progress_;
  std::vector<std::jthread> threads_;  // last: joined before anything they use goes away
};

bool AfPacketSource::any() const { return std::ranges::find(options_.interfaces, "any") != options_.interfaces.end(); }

Result<Intake> AfPacketSource::open_intake(int ifindex, std::optional<std::uint16_t>& group) {
  auto socket = PacketSocket::make();
  if (!socket) return std::unexpected(socket.error());
  auto ring = Ring::make(socket->fd(), ring_size_);
  if (!ring) return std::unexpected(ring.error());
  if (auto bound = socket->bind(ifindex); !bound) return std::unexpected(bound.error());
  if (options_.workers > 1) {
    auto joined = socket->join_fanout(group);
    if (!joined) return std::unexpected(joined.error());
    group = *joined;
  }
  return Intake{std::move(*socket), std::move(*ring)};
}

Result<void> AfPacketSource::open_interface(const std::string& name, int ifindex) {
  std::optional<std::uint16_t> group;
  for (unsigned worker = 0; worker < options_.workers; ++worker) {
    auto intake = open_intake(ifindex, group);
    Result<void> done;
    if (!intake) done = std::unexpected(intake.error());
    if (done && worker == 0 && ifindex != 0 && options_.promiscuous) done = intake->socket.set_promiscuous(ifindex);
    if (!done) {
      Error error = done.error();
      error.message = name + ": " + error.message;
      return std::unexpected(error);
    }
    lanes_[worker]->add(std::move(*intake));
  }
  return {};
}

Result<void> AfPacketSource::open() {
  std::vector<std::pair<std::string, NamedInterface>> wanted;
  for (const auto& name : options_.interfaces) {
    auto found = name == "any" ? NamedInterface{} : find_interface(name);
    if (!found) return std::unexpected(found.error());
    wanted.emplace_back(name, *found);
  }
  if (any()) wanted = {{"any", {}}};
  const auto index = [](const auto& entry) { return entry.second.index; };
  std::ranges::sort(wanted, {}, index);
  const auto repeated = std::ranges::unique(wanted, {}, index);
  wanted.erase(repeated.begin(), repeated.end());

  ring_size_ = RingSize::of(options_.ring_bytes / (wanted.size() * options_.workers), options_.retire_milliseconds);
  for (unsigned i = 0; i < options_.workers; ++i) {
    lanes_.push_back(std::make_unique<Lane>(options_.filter, options_.snaplen));
  }
  for (const auto& [name, interface] : wanted) {
    if (auto opened = open_interface(name, interface.index); !opened) return opened;
  }
  seen_ = std::make_unique<SeenInterfaces>(lanes_.front()->any_socket());
  for (const auto& [name, interface] : wanted) {
    if (interface.index != 0) seen_->see(static_cast<std::uint32_t>(interface.index), interface.link);
  }
  if (auto accepted = accept(); !accepted) return accepted;
  start_workers();
  return {};
}

// Only when every socket is in its group: before, each of them would get all packets.
Result<void> AfPacketSource::accept() {
  const auto& fields = *options_.filter.fields;
  const bool sent_only = (fields.tests & SONDE_TEST_DIRECTION) != 0 && fields.direction == SONDE_DIRECTION_OUT;
  for (auto& lane : lanes_) {
    auto accepted = lane->accept(sent_only ? LoopbackCopy::sent : LoopbackCopy::received);
    if (!accepted) return accepted;
  }
  return {};
}

void AfPacketSource::start_workers() {
  if (!threaded()) {
    own_chunk_ = std::make_unique<Chunk>();
    return;
  }
  queue_ = std::make_unique<ChunkQueue>(lanes_.size() * chunks_per_worker);
  for (auto& lane : lanes_) {
    threads_.emplace_back([this, &lane](const std::stop_token& stop) { work(*lane, stop); });
  }
}

void AfPacketSource::work(Lane& lane, const std::stop_token& stop) {
  Chunk* chunk = nullptr;
  while (!stop.stop_requested()) {
    if (chunk == nullptr) chunk = queue_->take_empty(stop);
    if (chunk == nullptr) return;
    if (lane.fill(*chunk)) {
      queue_->put_full(std::exchange(chunk, nullptr));
    } else {
      lane.wait(worker_wait);
    }
  }
}

// nullptr: nothing came in time.
Chunk* AfPacketSource::next_chunk(milliseconds timeout) {
  if (threaded()) return queue_->take_full(timeout);
  if (lanes_.front()->fill(*own_chunk_)) return own_chunk_.get();
  lanes_.front()->wait(timeout);
  return lanes_.front()->fill(*own_chunk_) ? own_chunk_.get() : nullptr;
}

void AfPacketSource::give_back() {
  if (current_ == nullptr) return;
  if (threaded()) {
    queue_->put_empty(current_);
  } else {
    current_->clear();
  }
  current_ = nullptr;
}

void AfPacketSource::take(const Chunk& chunk, pipeline::PacketBatch& batch) {
  walked_ += chunk.walked;
  given_ += chunk.batch.size;
  progress_ = Clock::now();
  batch.size = chunk.batch.size;
  std::ranges::copy(chunk.batch.view(), batch.packets.begin());
  for (const auto& packet : batch.view()) {
    const bool bare = (packet.event->flags & SONDE_PACKET_NO_LINK_HEADER) != 0;
    seen_->see(packet.event->header.ifindex, bare ? LinkType::raw_ip : LinkType::ethernet);
  }
}

Result<void> AfPacketSource::read(pipeline::PacketBatch& batch, milliseconds timeout) {
  batch.size = 0;
  const auto deadline = Clock::now() + timeout;
  while (batch.size == 0 && !finished_) {
    give_back();
    finish_if_drained();
    if (finished_) break;
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    current_ = next_chunk(std::clamp(left, milliseconds{0}, worker_wait));
    if (current_ != nullptr) take(*current_, batch);
    if (Clock::now() >= deadline) break;
  }
  return {};
}

Result<void> AfPacketSource::stop() {
  if (stopped_) return {};
  for (auto& lane : lanes_) {
    if (auto rejected = lane->reject(); !rejected) return rejected;
  }
  wait_for_deliveries();
  final_counts_ = counts();
  stopped_ = true;
  progress_ = Clock::now();
  finish_if_drained();
  return {};
}

void AfPacketSource::finish_if_drained() {
  if (!stopped_ || finished_) return;
  const bool drained = walked_ >= final_counts_.packets - final_counts_.drops;
  if (!drained && Clock::now() - progress_ < drain_patience) return;
  finished_ = true;
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

SocketCounts AfPacketSource::counts() const {
  if (stopped_) return final_counts_;
  SocketCounts sum;
  for (const auto& lane : lanes_) {
    const auto lane_counts = lane->counts();
    sum.packets += lane_counts.packets;
    sum.drops += lane_counts.drops;
  }
  return sum;
}

std::vector<LossStage> AfPacketSource::loss() const {
  const auto kernel = counts();
  const std::uint64_t lost = finished_ ? kernel.packets - walked_ : kernel.drops;
  const std::string note = lost > 0 ? "the packet ring was full" : "";
  return {{.name = "socket", .taken = walked_ + lost, .given = walked_, .filtered = 0, .lost = lost, .note = note},
          {.name = "filter", .taken = walked_, .given = given_, .filtered = walked_ - given_, .lost = 0, .note = {}}};
}

std::vector<std::string> AfPacketSource::notices() const {
  std::string names;
  for (const auto& name : options_.interfaces) names += (names.empty() ? "" : ", ") + name;
  std::vector<std::string> lines = {fmt::format("{}: AF_PACKET, {} worker{}", any() ? "any" : names, options_.workers,
                                                options_.workers == 1 ? "" : "s")};
  for (const auto& lane : lanes_) {
    if (lane->error() != 0)
      lines.push_back(fmt::format("packet socket: {}", std::generic_category().message(lane->error())));
  }
  return lines;
}

}  // namespace

Result<std::unique_ptr<pipeline::Source>> open_afpacket(AfPacketOptions options) {
  if (options.interfaces.empty()) return fail(ErrorKind::usage, "no interface given, expected names or any");
  if (options.workers < 1 || options.workers > max_workers) {
    return fail(ErrorKind::usage, fmt::format("workers: {}, expected 1 to {}", options.workers, max_workers));
  }
  auto source = std::make_unique<AfPacketSource>(std::move(options));
  if (auto opened = source->open(); !opened) return std::unexpected(opened.error());
  return source;
}

}  // namespace sonde::afpacket
