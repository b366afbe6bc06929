// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/client_traffic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "addresses.hpp"

namespace sonde::proxy {
namespace {

// Slow and plain: a vector in the order of activity.
struct Model {
  explicit Model(std::size_t limit_) : limit(limit_) {}
  void add(const Endpoint& client, const Traffic& traffic) {
    auto entry = std::ranges::find(entries, client, &std::pair<Endpoint, Traffic>::first);
    std::pair<Endpoint, Traffic> active{client, {}};
    if (entry != entries.end()) {
      active = *entry;
      entries.erase(entry);
    } else if (entries.size() == limit) {
      others += entries.front().second;
      ++departures;
      entries.erase(entries.begin());
    }
    active.second += traffic;
    entries.push_back(active);
  }
  std::size_t limit;
  std::vector<std::pair<Endpoint, Traffic>> entries;
  Traffic others;
  std::uint64_t departures = 0;
};

std::map<Endpoint, Traffic> by_client(const ClientSums& sums) {
  std::map<Endpoint, Traffic> clients;
  for (const auto& entry : sums.clients) clients[entry.client] += entry.traffic;
  return clients;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t limit) {
    return std::uniform_int_distribution<std::uint64_t>(0, limit - 1)(engine_);
  }
  Endpoint client(std::uint64_t count) {
    const auto number = below(count);
    return number % 3 == 0 ? at("2001:db8::" + std::to_string(number)) : at("192.0.2." + std::to_string(number));
  }
  Traffic traffic() { return {.connections = below(2), .received = below(5000), .sent = below(1'000'000)}; }

 private:
  std::mt19937 engine_;
};

TEST(ClientTraffic, AgreesWithAPlainModel) {
  for (const std::size_t limit : {1U, 2U, 7U, 40U}) {
    Random random(static_cast<unsigned>(limit));
    ClientTraffic clients(limit);
    Model model(limit);
    Traffic total;
    for (int i = 0; i < 5000; ++i) {
      const Endpoint client = random.client(30);
      const Traffic traffic = random.traffic();
      Endpoint with_port = client;
      with_port.port = static_cast<std::uint16_t>(random.below(65536));
      clients.add(with_port, traffic, i);
      model.add(client, traffic);
      total += traffic;
    }
    const ClientSums sums = clients.sums();
    EXPECT_EQ(by_client(sums), (std::map<Endpoint, Traffic>(model.entries.begin(), model.entries.end()))) << limit;
    EXPECT_EQ(sums.others, model.others);
    EXPECT_EQ(sums.departures, model.departures);
    EXPECT_EQ(sums.total(), total);
  }
}

TEST(ClientTraffic, TheGreatestFirst) {
  ClientTraffic clients(10);
  clients.add(at("192.0.2.1"), {.connections = 9, .received = 1, .sent = 1}, 1);
  clients.add(at("192.0.2.2"), {.connections = 1, .received = 5, .sent = 0}, 1);
  clients.add(at("192.0.2.4"), {.connections = 1, .received = 1, .sent = 2}, 1);
  clients.add(at("192.0.2.3"), {.connections = 1, .received = 2, .sent = 1}, 1);
  ClientSums sums = clients.sums();
  sums.sort();
  std::vector<std::string> order;
  for (const auto& entry : sums.clients) order.push_back(entry.client.address_text());
  EXPECT_THAT(order, testing::ElementsAre("192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.1"));
}

TEST(ClientTraffic, ThreadsSumUp) {
  ClientTraffic clients(8);
  std::vector<std::thread> threads;
  for (unsigned worker = 0; worker < 4; ++worker)
    threads.emplace_back([&clients, worker] {
      Random random(worker);
      for (int i = 0; i < 20'000; ++i)
        clients.add(random.client(20), {.connections = 1, .received = 10, .sent = 100}, i);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(clients.sums().total(), (Traffic{.connections = 80'000, .received = 800'000, .sent = 8'000'000}));
  EXPECT_EQ(clients.sums().clients.size(), 8U);
}

// Two tables that add to one file, as when a proxy hands over to the next, in any order and with more clients than fit.
TEST(ClientTraffic, TwoProcessesAddToOneFile) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    Random random(seed);
    ClientSums file;
    Traffic total;
    const std::size_t limit = 5 + random.below(30);
    ClientTraffic tables[2]{ClientTraffic(limit), ClientTraffic(limit)};
    bool saving[2] = {};
    ClientSums merged[2];
    for (int i = 0; i < 3000; ++i) {
      const auto which = random.below(2);
      ClientTraffic& table = tables[which];
      if (const auto what = random.below(100); what > 2) {
        const Traffic traffic = random.traffic();
        table.add(random.client(40), traffic, i);
        total += traffic;
      } else if (what == 2) {
        const ClientSums lost = table.begin_save();  // the disk was full: nothing is settled
      } else if (!saving[which] && !saving[1 - which]) {
        merged[which] = file;
        merge(merged[which], table.begin_save());
        merged[which].trim(limit);
        saving[which] = true;
      } else if (saving[which]) {
        merged[which] = file;  // begins anew, since clients came and went meanwhile
        merge(merged[which], table.begin_save());
        merged[which].trim(limit);
        for (int more = 0; more < 20; ++more) {  // while the disk is slow
          const Traffic traffic = random.traffic();
          table.add(random.client(40), traffic, i);
          total += traffic;
        }
        file = merged[which];
        table.settle(file);
        saving[which] = false;
        ASSERT_LE(file.clients.size(), limit);
        ASSERT_LE(table.sums().clients.size(), limit);
      }
    }
    for (auto& table : tables) {
      merge(file, table.begin_save());
      file.trim(limit);
      table.settle(file);
      EXPECT_EQ(table.sums().total(), file.total()) << seed;
    }
    EXPECT_EQ(file.total(), total) << seed;
    for (const auto& [client, traffic] : by_client(tables[1].sums())) {
      EXPECT_LT(traffic.received, total.received + 1) << "a difference below zero";
      EXPECT_LT(traffic.sent, total.sent + 1);
    }
  }
}

}  // namespace
}  // namespace sonde::proxy
