// SPDX-License-Identifier: Apache-2.0
// The reader against a ring in ordinary memory that the test fills as the kernel does.
#include "kernel/ring_reader.hpp"

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "base/fd.hpp"

namespace sonde::kernel {
namespace {

// The mapping of a ring (kernel/bpf/ringbuf.c) over a memory file: consumer page, producer page, data twice in a row
// is what RingReader maps; the data area of the file is as long as both copies, which the test keeps equal.
class FakeRing {
 public:
  explicit FakeRing(std::size_t bytes) : bytes_(bytes), page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    file_.reset(static_cast<int>(::syscall(SYS_memfd_create, "ring", 0)));
    const auto size = 2 * page_ + 2 * bytes_;
    if (!file_ || ::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) throw std::runtime_error("memfd");
    memory_ = static_cast<std::uint8_t*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0));
    if (memory_ == MAP_FAILED) throw std::runtime_error("mmap");
  }
  ~FakeRing() { ::munmap(memory_, 2 * page_ + 2 * bytes_); }
  FakeRing(const FakeRing&) = delete;
  FakeRing& operator=(const FakeRing&) = delete;

  // A record at the producer's position; `flags`: BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT. Gives its position.
  std::uint64_t produce(const std::string& text, std::uint32_t flags = 0) {
    const auto at = producer();
    const std::uint32_t header[2] = {static_cast<std::uint32_t>(text.size()) | flags, 0};
    put(at, header, sizeof(header));
    put(at + 8, text.data(), text.size());
    producer() += (text.size() + 8 + 7) / 8 * 8;
    return at;
  }
  void commit(std::uint64_t at, std::size_t size) {
    const auto header = static_cast<std::uint32_t>(size);
    put(at, &header, sizeof(header));
  }
  [[nodiscard]] std::uint64_t& consumer() { return *reinterpret_cast<std::uint64_t*>(memory_); }
  [[nodiscard]] std::uint64_t& producer() { return *reinterpret_cast<std::uint64_t*>(memory_ + page_); }
  [[nodiscard]] RingReader reader() {
    auto made = RingReader::make(file_.get(), bytes_);
    if (!made) throw std::runtime_error(made.error().text());
    return std::move(*made);
  }

 private:
  void put(std::uint64_t at, const void* from, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(from);
    for (std::size_t i = 0; i < size; ++i)
      for (const std::size_t copy : {std::size_t{0}, bytes_})
        memory_[2 * page_ + copy + ((at + i) & (bytes_ - 1))] = bytes[i];
  }

  std::size_t bytes_;
  std::size_t page_;
  Fd file_;
  std::uint8_t* memory_ = nullptr;
};

std::string text_of(std::span<const std::uint8_t> record) { return {record.begin(), record.end()}; }

TEST(RingReader, GivesRecordsInOrderAndRoomBackOnRelease) {
  FakeRing ring(4096);
  auto reader = ring.reader();
  EXPECT_TRUE(reader.peek().empty());
  ring.produce("first");
  ring.produce("the second one");
  EXPECT_EQ(text_of(reader.peek()), "first");
  EXPECT_EQ(text_of(reader.peek()), "first") << "peek() does not move";
  reader.advance();
  EXPECT_EQ(text_of(reader.peek()), "the second one");
  EXPECT_EQ(ring.consumer(), 0U);
  reader.release();
  EXPECT_EQ(ring.consumer(), 16U) << "only what was passed";
  reader.advance();
  EXPECT_TRUE(reader.peek().empty());
  reader.release();
  EXPECT_EQ(ring.consumer(), ring.producer());
}

TEST(RingReader, WaitsForABusyRecordAndSkipsDiscardedOnes) {
  FakeRing ring(4096);
  auto reader = ring.reader();
  ring.produce("gone", BPF_RINGBUF_DISCARD_BIT);
  const auto busy = ring.produce("busy", BPF_RINGBUF_BUSY_BIT);
  ring.produce("behind");
  EXPECT_TRUE(reader.peek().empty()) << "nothing overtakes a record that is being written";
  ring.commit(busy, 4);
  EXPECT_EQ(text_of(reader.peek()), "busy");
  reader.advance();
  EXPECT_EQ(text_of(reader.peek()), "behind");
  reader.release();
  EXPECT_EQ(ring.consumer(), 32U) << "the discarded one's room came back too";
}

TEST(RingReader, ReadsAcrossTheEndOfTheRing) {
  FakeRing ring(4096);
  auto reader = ring.reader();
  for (int i = 0; i < 1000; ++i) {
    const std::string text(static_cast<std::size_t>(1 + i % 700), static_cast<char>('a' + i % 26));
    ring.produce(text);
    ASSERT_EQ(text_of(reader.peek()), text) << i;
    reader.advance();
    reader.release();
    ASSERT_EQ(ring.consumer(), ring.producer());
  }
}

TEST(RingReader, MovesWithItsPosition) {
  FakeRing ring(4096);
  auto reader = ring.reader();
  ring.produce("one");
  ring.produce("two");
  (void)reader.peek();
  reader.advance();
  auto moved = std::move(reader);
  EXPECT_EQ(text_of(moved.peek()), "two");
}

TEST(RingReader, OfSomethingThatIsNoRing) {
  const auto reader = RingReader::make(-1, 4096);
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("ring buffer"), std::string::npos);
}

}  // namespace
}  // namespace sonde::kernel
