// SPDX-License-Identifier: Apache-2.0
#include "sensors/afpacket/lane.hpp"

#include <poll.h>

#include <algorithm>
#include <thread>

#include "sensors/afpacket/frame.hpp"

namespace sonde::afpacket {
namespace {

tpacket3_hdr* frame_at(void* base, std::uint32_t offset) {
  return reinterpret_cast<tpacket3_hdr*>(static_cast<std::uint8_t*>(base) + offset);
}

}  // namespace

bool Lane::take_block() {
  for (std::size_t i = 0; i < intakes_.size(); ++i) {
    Ring& ring = intakes_[turn_]->ring;
    turn_ = (turn_ + 1) % intakes_.size();
    tpacket_block_desc* block = ring.take();
    if (block == nullptr) continue;
    const auto& header = block->hdr.bh1;
    cursor_ = {&ring, block, frame_at(block, header.offset_to_first_pkt), header.num_pkts};
    return true;
  }
  return false;
}

// Ends with the block or when the batch is full.
void Lane::walk(Chunk& chunk) {
  auto& batch = chunk.batch;
  while (cursor_.left > 0 && batch.size < pipeline::PacketBatch::capacity) {
    tpacket3_hdr* frame = cursor_.frame;
    cursor_.frame = frame_at(frame, frame->tp_next_offset);
    --cursor_.left;
    ++chunk.walked;
    const bool passed = user_space::finish_packet(read_frame(*frame), *filter_, snaplen_, chunk.events[batch.size],
                                                  batch.packets[batch.size]);
    if (passed) ++batch.size;
  }
}

bool Lane::fill(Chunk& chunk) {
  if (cursor_.block == nullptr && !take_block()) return false;
  walk(chunk);
  chunk.ring = cursor_.ring;
  if (cursor_.left > 0) return true;
  chunk.last_of = cursor_.block;
  cursor_ = {};
  return true;
}

// poll() also says ready while the block that the kernel filled last is still held by the reader; then there is nothing
// to do but to give it time.
void Lane::wait(std::chrono::milliseconds timeout) {
  std::vector<pollfd> waits;
  waits.reserve(intakes_.size());
  for (const auto& intake : intakes_) waits.push_back({.fd = intake->socket.fd(), .events = POLLIN, .revents = 0});
  const auto before = std::chrono::steady_clock::now();
  if (::poll(waits.data(), waits.size(), static_cast<int>(timeout.count())) <= 0) return;
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if ((waits[i].revents & POLLERR) == 0) continue;
    if (const int error = intakes_[i]->socket.take_error(); error != 0) error_ = error;
  }
  const bool at_once = std::chrono::steady_clock::now() - before < std::chrono::microseconds{100};
  if (at_once && timeout.count() > 0 && !take_block()) std::this_thread::sleep_for(std::chrono::microseconds{500});
}

Result<void> Lane::accept(LoopbackCopy copy) {
  for (auto& intake : intakes_) {
    if (auto done = intake->socket.accept(copy); !done) return done;
  }
  return {};
}

Result<void> Lane::reject() {
  for (auto& intake : intakes_) {
    if (auto done = intake->socket.reject(); !done) return done;
  }
  return {};
}

SocketCounts Lane::counts() {
  SocketCounts sum;
  for (auto& intake : intakes_) {
    const auto counts = intake->socket.counts();
    sum.packets += counts.packets;
    sum.drops += counts.drops;
  }
  return sum;
}

}  // namespace sonde::afpacket
