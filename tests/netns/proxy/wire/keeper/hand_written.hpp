// SPDX-License-Identifier: Apache-2.0
// A connection on the wire without the program: two connections over loopback whose proxy's ends are frozen, and an
// element of the table that says what the program would.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "actuators/proxy/wire/keeper.hpp"
#include "actuators/proxy/wire/table.hpp"
#include "base/fd.hpp"

namespace sonde::proxy::test {

struct HandWritten {
  std::uint32_t index = 0;
  WireEnds ends;
  Fd client, upstream;                    ///< the peers
  Fd proxy_to_client, proxy_to_upstream;  ///< frozen
};

/// In the calling thread's network namespace. SPLICED, with `record`, owned by nobody. Throws.
[[nodiscard]] HandWritten splice_by_hand(Table& table, const std::string& record);
/// Errno of a peer's next read; 0: its end; EAGAIN: it goes on.
[[nodiscard]] int read_error(const Fd& peer);
/// The same, waiting for something else than EAGAIN for 3 seconds at most.
[[nodiscard]] int wait_for_error(const Fd& peer);

class Recorder final : public WireObserver {
 public:
  struct Ended {
    std::uint32_t index;
    WireEnd end;
  };

  void adopted(std::uint32_t index, const std::string& record) override;
  void moved(std::uint32_t index, std::uint64_t bytes_received, std::uint64_t bytes_sent) override;
  void ended(std::uint32_t index, const WireEnd& end) override;

  [[nodiscard]] std::vector<Ended> ends() const;
  /// Waits for so many, 5 seconds at most.
  [[nodiscard]] std::vector<Ended> wait_for_ends(std::size_t count) const;
  [[nodiscard]] std::vector<std::pair<std::uint32_t, std::string>> adoptions() const;
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> bytes() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Ended> ended_;
  std::vector<std::pair<std::uint32_t, std::string>> adopted_;
  std::uint64_t received_ = 0, sent_ = 0;
};

}  // namespace sonde::proxy::test
