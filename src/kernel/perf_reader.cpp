// SPDX-License-Identifier: Apache-2.0
#include "kernel/perf_reader.hpp"

#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace sonde::kernel {
namespace {

// What perf puts before the bytes of a BPF record (PERF_SAMPLE_RAW).
struct RawSample {
  perf_event_header header;
  std::uint32_t size;
};

struct LostRecord {
  perf_event_header header;
  std::uint64_t id;
  std::uint64_t lost;
};

}  // namespace

struct PerfReader::State {
  struct Free {
    void operator()(perf_buffer* buffer) const { perf_buffer__free(buffer); }
  };
  std::unique_ptr<perf_buffer, Free> buffer;
  std::vector<std::uint8_t> bytes;                          ///< the records of one read, 8-aligned
  std::vector<std::pair<std::size_t, std::size_t>> places;  ///< offset and size of each
  std::vector<std::span<const std::uint8_t>> records;
  std::size_t limit = 0;
  std::size_t next_cpu = 0;
  std::uint64_t lost = 0;

  bpf_perf_event_ret take(perf_event_header* header) {
    if (header->type == PERF_RECORD_LOST) {
      lost += reinterpret_cast<const LostRecord*>(header)->lost;
      return LIBBPF_PERF_EVENT_CONT;
    }
    if (header->type != PERF_RECORD_SAMPLE) return LIBBPF_PERF_EVENT_CONT;
    const auto* sample = reinterpret_cast<const RawSample*>(header);
    const auto start = bytes.size();
    bytes.resize(start + (sample->size + 7) / 8 * 8);
    std::memcpy(bytes.data() + start, reinterpret_cast<const std::uint8_t*>(header) + sizeof(RawSample), sample->size);
    places.emplace_back(start, sample->size);
    return places.size() < limit ? LIBBPF_PERF_EVENT_CONT : LIBBPF_PERF_EVENT_DONE;
  }

  // The next read starts behind the CPU at which this one stopped, so that no CPU starves.
  Result<void> consume() {
    const auto cpus = perf_buffer__buffer_cnt(buffer.get());
    for (std::size_t i = 0; i < cpus && places.size() < limit; ++i) {
      const int error = perf_buffer__consume_buffer(buffer.get(), next_cpu++ % cpus);
      if (error < 0) return fail_errno(-error, "cannot read the perf buffer");
    }
    return {};
  }
};

PerfReader::PerfReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
PerfReader::PerfReader(PerfReader&&) noexcept = default;
PerfReader& PerfReader::operator=(PerfReader&&) noexcept = default;
PerfReader::~PerfReader() = default;

Result<PerfReader> PerfReader::make(int map_fd, std::size_t bytes_per_cpu) {
  auto state = std::make_unique<State>();
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_BPF_OUTPUT;
  attributes.sample_type = PERF_SAMPLE_RAW;
  attributes.sample_period = 1;
  attributes.watermark = 1;  // wake the reader at a quarter of the ring, not at each event; it polls below that
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto pages = std::bit_ceil(std::max(bytes_per_cpu / page, std::size_t{1}));
  attributes.wakeup_watermark = static_cast<__u32>(pages * page / 4);
  const auto take = [](void* context, int, perf_event_header* header) {
    return static_cast<State*>(context)->take(header);
  };
  state->buffer.reset(perf_buffer__new_raw(map_fd, pages, &attributes, take, state.get(), nullptr));
  if (!state->buffer) return fail_errno("cannot open the perf buffer", "it needs root, or CAP_BPF and CAP_PERFMON");
  return PerfReader(std::move(state));
}

Result<std::span<const std::span<const std::uint8_t>>> PerfReader::read(std::size_t limit, int timeout_ms) {
  auto& state = *state_;
  state.bytes.clear();
  state.places.clear();
  state.records.clear();
  state.limit = limit;
  auto consumed = state.consume();
  if (consumed && state.places.empty() && timeout_ms > 0) {
    epoll_event event{};
    ::epoll_wait(perf_buffer__epoll_fd(state.buffer.get()), &event, 1, timeout_ms);
    consumed = state.consume();
  }
  if (!consumed) return std::unexpected(consumed.error());
  for (const auto& [start, size] : state.places) state.records.emplace_back(state.bytes.data() + start, size);
  return std::span<const std::span<const std::uint8_t>>(state.records);
}

std::uint64_t PerfReader::lost() const { return state_->lost; }

}  // namespace sonde::kernel
