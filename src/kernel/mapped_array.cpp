// SPDX-License-Identifier: Apache-2.0
#include "kernel/mapped_array.hpp"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace sonde::kernel {
namespace {

// The kernel maps whole pages (array_map_mmap()).
std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

}  // namespace

Result<MappedArray> MappedArray::create(const std::string& name, std::uint32_t value_size, std::uint32_t entries,
                                        bool inner) {
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.map_flags = BPF_F_MMAPABLE;
  if (inner) options.map_flags |= BPF_F_INNER_MAP;
  Fd fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, name.c_str(), sizeof(std::uint32_t), value_size, entries, &options));
  if (!fd)
    return fail_errno("cannot create an array map of " + std::to_string(std::uint64_t{value_size} * entries) +
                      " bytes");
  return open(std::move(fd));
}

Result<MappedArray> MappedArray::open(Fd fd) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return fail_errno("cannot ask about a BPF map");
  const auto bytes = std::size_t{info.value_size} * info.max_entries;
  void* memory = ::mmap(nullptr, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return fail_errno("cannot map the memory of a BPF map");
  return MappedArray(std::move(fd), {static_cast<std::uint8_t*>(memory), bytes});
}

MappedArray::MappedArray(MappedArray&& other) noexcept
    : fd_(std::move(other.fd_)), memory_(std::exchange(other.memory_, {})) {}

MappedArray& MappedArray::operator=(MappedArray&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(memory_, other.memory_);
  return *this;
}

MappedArray::~MappedArray() {
  if (!memory_.empty()) ::munmap(memory_.data(), whole_pages(memory_.size()));
}

// Between the two calls somebody may put another map there, and the one that was there is gone.
Result<std::optional<Fd>> inner_map(int outer_fd, std::uint32_t index) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::uint32_t id = 0;
    if (bpf_map_lookup_elem(outer_fd, &index, &id) != 0) {
      if (errno == ENOENT) return std::optional<Fd>{};
      return fail_errno("cannot read a BPF map of maps");
    }
    Fd fd(bpf_map_get_fd_by_id(id));
    if (fd) return std::optional<Fd>(std::move(fd));
    if (errno != ENOENT) return fail_errno("cannot open a BPF map by its id");
  }
  return fail(ErrorKind::failed, "the map in a BPF map of maps is replaced all the time");
}

}  // namespace sonde::kernel
