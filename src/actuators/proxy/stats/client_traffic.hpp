// SPDX-License-Identifier: Apache-2.0
// What each client has sent and received, for the clients that were active last.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "sonde/endpoint.hpp"

namespace sonde::proxy {

struct Traffic {
  std::uint64_t connections = 0;
  std::uint64_t received = 0;  ///< bytes from the client
  std::uint64_t sent = 0;      ///< bytes to the client

  Traffic& operator+=(const Traffic& other) {
    connections += other.connections;
    received += other.received;
    sent += other.sent;
    return *this;
  }
  Traffic& operator-=(const Traffic& other) {
    connections -= other.connections;
    received -= other.received;
    sent -= other.sent;
    return *this;
  }
  [[nodiscard]] std::uint64_t bytes() const { return received + sent; }
  friend bool operator==(const Traffic&, const Traffic&) = default;
};

struct ClientEntry {
  Endpoint client;  ///< the port is 0
  Traffic traffic;
  std::int64_t last_active = 0;  ///< seconds since 1970; 0: not known
};

struct AddressHash {
  std::size_t operator()(const Endpoint& endpoint) const {
    std::uint64_t parts[2];
    std::memcpy(parts, endpoint.address.data(), sizeof(parts));
    return static_cast<std::size_t>((parts[0] ^ parts[1] * 0x9e3779b97f4a7c15U) * 0x9e3779b97f4a7c15U >> 7);
  }
};

/// The sum of all clients and of `others` is what was ever added.
struct ClientSums {
  std::vector<ClientEntry> clients;
  Traffic others;                ///< of clients that had to leave
  std::uint64_t departures = 0;  ///< how often one left, since the process began

  [[nodiscard]] Traffic total() const;
  /// The greatest first, by bytes; then by address.
  void sort();
  /// The `limit` that were active last stay, the rest becomes others.
  void trim(std::size_t limit);
};

/// At most `limit` clients; a new one pushes out the one that was not active for longest. What is added is kept apart
/// from what a file said (`base`), so that two processes, of which one hands over to the other, may add to one file.
/// Any thread.
class ClientTraffic {
 public:
  explicit ClientTraffic(std::size_t limit) : limit_(limit == 0 ? 1 : limit) {}

  void add(const Endpoint& client, const Traffic& traffic, std::int64_t now_seconds);
  [[nodiscard]] ClientSums sums() const;
  [[nodiscard]] std::size_t limit() const { return limit_; }

  /// What was added since the last settle(), to be added to a file. One at a time.
  [[nodiscard]] ClientSums begin_save();
  /// `stored` is what the file says now, with what the last begin_save() gave.
  void settle(const ClientSums& stored);

 private:
  struct Entry {
    Endpoint client;
    Traffic base;
    Traffic fresh;
    Traffic saving;  ///< of fresh, what begin_save() has given
    std::int64_t last_active = 0;
  };
  using Entries = std::list<Entry>;  // active last first

  void make_room();

  std::size_t limit_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<Endpoint, Entries::iterator, AddressHash> index_;
  Traffic others_base_;
  Traffic others_fresh_;
  Traffic others_saving_;
  std::uint64_t departures_ = 0;
};

/// `more` is added to `sums`, client by client.
void merge(ClientSums& sums, const ClientSums& more);

}  // namespace sonde::proxy
