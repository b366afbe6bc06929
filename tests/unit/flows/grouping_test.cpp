// SPDX-License-Identifier: Apache-2.0
// Groups and rows against a plain model: every packet once, whatever the flows are put together by.
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "aggregate/collection.hpp"
#include "aggregate/facts.hpp"
#include "country_file.hpp"
#include "scripted_source.hpp"

namespace sonde::test {
namespace {

using aggregate::Collection;
using aggregate::CollectionOptions;
using namespace std::chrono_literals;

CollectionOptions options(FlowGrouping by, FlowOrder order = FlowOrder::rate, std::uint32_t top = 0) {
  CollectionOptions result{.owners = *enrich::CompiledOwnerFilter::compile({}), .by = by, .order = order, .top = top};
  result.tables = true;
  result.active_timeout = 5min;
  return result;
}

PacketCount sum_of(const FlowTable& table) {
  PacketCount all = aggregate::sum(table.others.interval);
  for (const auto& row : table.rows) aggregate::operator+=(all, aggregate::sum(row.interval));
  return all;
}

const FlowRow* find(const FlowTable& table, const std::string& name) {
  const auto found = std::ranges::find(table.rows, name, &FlowRow::name);
  return found == table.rows.end() ? nullptr : &*found;
}

#define EXPECT_COUNT(count, expected_packets, expected_bytes)    \
  do {                                                           \
    EXPECT_EQ((count).packets, std::uint64_t{expected_packets}); \
    EXPECT_EQ((count).bytes, std::uint64_t{expected_bytes});     \
  } while (false)

TEST(Grouping, AddressesPortsAndProtocolsOfTheirEnds) {
  ScriptedSource source;
  source.flows[1] = make_flow("10.0.0.9", 40000, "10.0.0.1", 443);
  source.flows[2] = make_flow("10.0.0.9", 40001, "10.0.0.2", 443);
  source.flows[3] = make_flow("2001:db8::9", 40002, "2001:db8::1", 53, 17);
  add_packets(source.flows[1], 0, 3, 300);
  add_packets(source.flows[1], 1, 5, 5000);
  add_packets(source.flows[2], 0, 1, 60);
  add_packets(source.flows[3], 0, 1, 80);
  add_packets(source.flows[3], 1, 1, 200);
  struct Expected {
    FlowGrouping by;
    std::string name;
    std::uint64_t flows, sent, received;
  };
  const std::vector<Expected> table = {{FlowGrouping::source, "10.0.0.9", 2, 360, 5000},
                                       {FlowGrouping::source, "2001:db8::9", 1, 80, 200},
                                       {FlowGrouping::destination, "10.0.0.1", 1, 5000, 300},
                                       {FlowGrouping::destination, "10.0.0.2", 1, 0, 60},
                                       {FlowGrouping::destination_port, "TCP 443", 2, 5000, 360},
                                       {FlowGrouping::destination_port, "UDP 53", 1, 200, 80},
                                       {FlowGrouping::protocol, "TCP", 2, 360, 5000},
                                       {FlowGrouping::protocol, "UDP", 1, 80, 200}};
  for (const auto& expected : table) {
    ScriptedSource fresh;
    fresh.flows = source.flows;
    Collection collection(fresh, options(expected.by));
    fresh.show(collection);
    const auto shown = collection.take_table(1s);
    const auto* row = find(shown, expected.name);
    ASSERT_NE(row, nullptr) << expected.name;
    EXPECT_EQ(row->flows, expected.flows) << expected.name;
    EXPECT_EQ(row->interval[0].bytes, expected.sent) << expected.name;
    EXPECT_EQ(row->interval[1].bytes, expected.received) << expected.name;
    EXPECT_COUNT(sum_of(shown), 11, 5640);
    EXPECT_EQ(fresh.described, 0U) << "the key says all";
  }
}

TEST(Grouping, ALoopbackPacketCountsWithTheProcessThatSentIt) {
  ScriptedSource source;
  source.flows[1] = make_flow("127.0.0.1", 40000, "127.0.0.1", 5432);
  source.flows[1].opener_owner = owned_by("psql", 10);
  source.flows[1].responder_owner = owned_by("postgres", 20);
  source.flows[2] = make_flow("10.0.0.1", 40000, "10.0.0.2", 80);  // only one end is here
  source.flows[2].opener_owner = owned_by("psql", 10);
  add_packets(source.flows[1], 0, 3, 300);
  add_packets(source.flows[1], 1, 5, 5000);
  add_packets(source.flows[2], 0, 2, 200);
  add_packets(source.flows[2], 1, 4, 4000);
  Collection collection(source, options(FlowGrouping::process));
  source.show(collection);
  const auto table = collection.take_table(1s);
  ASSERT_EQ(table.rows.size(), 2U);
  const auto* client = find(table, "psql[10]");
  const auto* server = find(table, "postgres[20]");
  ASSERT_TRUE(client != nullptr && server != nullptr);
  EXPECT_COUNT(client->interval[0], 5, 500);
  EXPECT_COUNT(client->interval[1], 4, 4000);
  EXPECT_COUNT(server->interval[0], 5, 5000);
  EXPECT_COUNT(server->interval[1], 0, 0);
  EXPECT_COUNT(sum_of(table), 14, 9500);
}

TEST(Grouping, AProcessThatTalksToItselfIsOneGroupAndOneFlow) {
  ScriptedSource source;
  source.flows[1] = make_flow("127.0.0.1", 40000, "127.0.0.1", 80);
  source.flows[1].opener_owner = source.flows[1].responder_owner = owned_by("nginx", 7);
  add_packets(source.flows[1], 0, 1, 100);
  add_packets(source.flows[1], 1, 2, 200);
  Collection collection(source, options(FlowGrouping::process));
  source.show(collection);
  const auto table = collection.take_table(1s);
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.rows[0].flows, 1U);
  EXPECT_COUNT(table.rows[0].interval[0], 3, 300);
}

TEST(Grouping, UnknownOwnersAreSaidWithTheirReasonAndFoundLater) {
  ScriptedSource source;
  source.flows[1] = make_flow("10.0.0.1", 40000, "10.0.0.2", 80);
  source.flows[1].opener_owner.owner.reason = SONDE_REASON_NO_SOCKET;
  add_packets(source.flows[1], 0, 1, 100);
  Collection collection(source, options(FlowGrouping::process));
  source.show(collection);
  auto table = collection.take_table(1s);
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.rows[0].name, "unknown (no socket)");
  source.flows[1].opener_owner = owned_by("curl", 5, std::string(64, 'a'));
  add_packets(source.flows[1], 0, 1, 100);
  source.show(collection);
  table = collection.take_table(1s);
  EXPECT_NE(find(table, "curl[5]"), nullptr) << "the second sample is described again";
}

TEST(Grouping, ContainersByRuntimeAndShortId) {
  ScriptedSource source;
  source.flows[1] = make_flow("10.0.0.1", 1, "10.0.0.2", 80);
  source.flows[1].opener_owner = owned_by("a", 1, std::string(64, 'a'));
  source.flows[2] = make_flow("10.0.0.1", 2, "10.0.0.2", 80);
  source.flows[2].opener_owner = owned_by("b", 2, std::string(64, 'a'));
  source.flows[3] = make_flow("10.0.0.1", 3, "10.0.0.2", 80);
  source.flows[3].opener_owner = owned_by("c", 3);
  for (auto& [id, flow] : source.flows) add_packets(flow, 0, 1, 100 * id);
  Collection collection(source, options(FlowGrouping::container));
  source.show(collection);
  const auto table = collection.take_table(1s);
  const auto* container = find(table, "docker:aaaaaaaaaaaa");
  ASSERT_NE(container, nullptr);
  EXPECT_EQ(container->flows, 2U);
  EXPECT_COUNT(container->interval[0], 2, 300);
  EXPECT_NE(find(table, "host"), nullptr);
}

TEST(Grouping, CountryIsThatOfTheOtherEnd) {
  const CountryFileOnDisk file({{"192.0.2.0", 24, "DE"}, {"198.51.100.0", 24, "FR"}});
  auto countries = enrich::CountryFile::open("--country-file", file.path());
  ASSERT_TRUE(countries) << countries.error().text();
  ScriptedSource source;
  source.flows[1] = make_flow("10.0.0.1", 1, "192.0.2.7", 443);    // outgoing
  source.flows[2] = make_flow("198.51.100.9", 1, "10.0.0.1", 80);  // incoming, as directions tell
  source.flows[2].flow.flags |= aggregate::opener_side(source.flows[2].flow) == 0
                                    ? SONDE_FLOW_RECEIVED_0 | SONDE_FLOW_SENT_1
                                    : SONDE_FLOW_RECEIVED_1 | SONDE_FLOW_SENT_0;
  source.flows[3] = make_flow("10.0.0.1", 1, "10.0.0.2", 80);
  for (auto& [id, flow] : source.flows) {
    add_packets(flow, 0, 1, 100 * id);
    add_packets(flow, 1, 2, 1000 * id);
  }
  auto with_countries = options(FlowGrouping::country);
  with_countries.countries = *countries;
  Collection collection(source, std::move(with_countries));
  source.show(collection);
  const auto table = collection.take_table(1s);
  ASSERT_EQ(table.rows.size(), 3U);
  const auto* germany = find(table, "DE");
  const auto* france = find(table, "FR");
  ASSERT_TRUE(germany != nullptr && france != nullptr);
  EXPECT_COUNT(germany->interval[0], 2, 1000);  // sent by the group's end: the responder
  EXPECT_COUNT(france->interval[0], 1, 200);
  EXPECT_NE(find(table, "not in the file"), nullptr);
}

// Random flows over random collections; the model adds up maps of strings.
TEST(Grouping, SumsEqualThoseOfFlowsForEveryGrouping) {
  const CountryFileOnDisk file({{"10.0.0.0", 8, "DE"}});
  auto countries = enrich::CountryFile::open("--country-file", file.path());
  ASSERT_TRUE(countries);
  for (const auto by :
       {FlowGrouping::flow, FlowGrouping::process, FlowGrouping::container, FlowGrouping::source,
        FlowGrouping::destination, FlowGrouping::destination_port, FlowGrouping::protocol, FlowGrouping::country}) {
    std::mt19937 random(7);
    const auto pick = [&](unsigned most) { return random() % most; };
    ScriptedSource source;
    auto chosen = options(by, FlowOrder::bytes, 3);
    chosen.countries = *countries;
    Collection collection(source, std::move(chosen));
    std::uint64_t next_id = 1;
    PacketCount all;
    for (int round = 0; round < 30; ++round) {
      PacketCount interval;
      for (unsigned i = pick(6); i > 0; --i) {
        auto flow =
            make_flow("10.0.0." + std::to_string(pick(5)), static_cast<std::uint16_t>(pick(9)),
                      "10.0.1." + std::to_string(pick(5)), static_cast<std::uint16_t>(pick(4)), pick(2) == 0 ? 6 : 17);
        if (pick(2) == 0) flow.opener_owner = owned_by("a", 1 + pick(3), pick(2) == 0 ? "box" : "");
        if (pick(3) == 0) flow.responder_owner = owned_by("b", 9 + pick(3));
        source.flows[next_id++] = flow;
      }
      std::map<std::uint64_t, FlowEnd> ended;
      for (auto& [id, flow] : source.flows) {
        const std::uint64_t packets = pick(4), bytes = packets * (60 + pick(1000));
        add_packets(flow, pick(2), packets, bytes);
        interval.packets += packets;
        interval.bytes += bytes;
        if (pick(8) == 0) ended[id] = FlowEnd::idle;
      }
      source.show(collection, ended);
      const auto table = collection.take_table(1s);
      aggregate::operator+=(all, interval);
      EXPECT_LE(table.rows.size(), 3U);
      EXPECT_COUNT(sum_of(table), interval.packets, interval.bytes);
      EXPECT_COUNT(table.interval_total, interval.packets, interval.bytes);
      auto total = aggregate::sum(table.others.total);
      for (const auto& row : table.rows) aggregate::operator+=(total, aggregate::sum(row.total));
      EXPECT_COUNT(total, all.packets, all.bytes);
    }
  }
}

TEST(GroupTable, IsBoundedAndAddsUpWhatFindsNoRoom) {
  aggregate::GroupTable groups(10);
  const auto add = [&](std::uint16_t port) { groups.add({aggregate::port_key(6, port), {{{1, 100}, {}}}, 0, 1}, {}); };
  for (std::uint16_t port = 0; port < 25; ++port) add(port);
  FlowTable table;
  groups.take(4, FlowOrder::rate, {}, table);
  EXPECT_EQ(groups.size(), 10U);
  EXPECT_EQ(table.rows.size(), 4U);
  EXPECT_COUNT(sum_of(table), 25, 2500);
  FlowTable next;
  add(3);
  groups.take(4, FlowOrder::rate, {}, next);  // the others were idle: their room is free again
  EXPECT_EQ(next.rows.size(), 1U);
  EXPECT_EQ(groups.size(), 1U);
  EXPECT_EQ(aggregate::sum(next.others.total).packets, 24U);
  add(20);
  FlowTable last;
  groups.take(4, FlowOrder::rate, {}, last);
  ASSERT_EQ(last.rows.size(), 1U);
  EXPECT_EQ(last.rows[0].name, "TCP 20");
}

}  // namespace
}  // namespace sonde::test
