// SPDX-License-Identifier: Apache-2.0
#include "peers.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace sonde::proxy::test {
namespace {

// splitmix64 of the number of the eight bytes.
std::uint64_t word_of(std::uint64_t seed, std::uint64_t number) {
  std::uint64_t x = seed * 0x9e3779b97f4a7c15 + number * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

void fill(std::uint64_t seed, std::uint64_t position, std::uint8_t* bytes, std::size_t size) {
  for (std::size_t done = 0; done < size;) {
    const std::uint64_t word = word_of(seed, (position + done) / 8);
    const std::size_t skip = (position + done) % 8;
    const std::size_t part = std::min(8 - skip, size - done);
    std::memcpy(bytes + done, reinterpret_cast<const std::uint8_t*>(&word) + skip, part);
    done += part;
  }
}

// Until all that was sent has been acknowledged.
void wait_for_acknowledgements(int fd) {
  int left = 1;
  for (int i = 0; i < 3000 && ::ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
}

}  // namespace

int write_stream(int fd, std::uint64_t seed, std::uint64_t bytes, bool pauses) {
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> piece;
  for (std::uint64_t written = 0; written < bytes;) {
    const std::uint64_t most = random() % 4 == 0 ? random() % 200'000 + 1 : random() % 3'000 + 1;
    piece.resize(std::min(most, bytes - written));
    fill(seed, written, piece.data(), piece.size());
    for (std::size_t done = 0; done < piece.size();) {
      const ssize_t size = ::send(fd, piece.data() + done, piece.size() - done, MSG_NOSIGNAL);
      if (size < 0) return errno;
      done += static_cast<std::size_t>(size);
    }
    written += piece.size();
    if (pauses && random() % 20 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
  }
  return 0;
}

Got read_stream(int fd, std::uint64_t seed) {
  std::vector<std::uint8_t> buffer(65'536);
  std::vector<std::uint8_t> expected(buffer.size());
  Got got;
  for (;;) {
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size < 0) got.error = errno;
    if (size <= 0) return got;
    const auto count = static_cast<std::size_t>(size);
    fill(seed, got.bytes, expected.data(), count);
    if (std::memcmp(buffer.data(), expected.data(), count) != 0) got.wrong = true;
    got.bytes += count;
  }
}

bool read_exactly(int fd, std::uint64_t seed, std::size_t bytes, std::uint64_t position) {
  std::vector<std::uint8_t> got(bytes);
  std::vector<std::uint8_t> expected(bytes);
  fill(seed, position, expected.data(), bytes);
  return ::recv(fd, got.data(), bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes) && got == expected;
}

Got run_peer(PeerTask& task) {
  Got got;
  std::thread reader;
  const auto read = [&] { got = read_stream(task.fd.get(), task.read_seed); };
  if (!task.waits_for_end) reader = std::thread(read);
  // Who waits for the end still writes meanwhile.
  int write_error = 0;
  std::thread writer(
      [&] { write_error = write_stream(task.fd.get(), task.write_seed, task.write_bytes, task.pauses); });
  if (task.waits_for_end) read();
  writer.join();
  if (task.resets) {
    if (task.resets_late) wait_for_acknowledgements(task.fd.get());
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(task.fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
    ::connect(task.fd.get(), &nowhere, sizeof(nowhere));  // a reset now, though the other thread reads
  } else {
    ::shutdown(task.fd.get(), SHUT_WR);
  }
  if (reader.joinable()) reader.join();
  task.fd.reset();
  if (got.error == 0) got.error = write_error;
  return got;
}

}  // namespace sonde::proxy::test
