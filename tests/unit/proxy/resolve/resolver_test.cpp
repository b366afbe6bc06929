// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/resolve/resolver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cerrno>
#include <fstream>

#include "actuators/proxy/resolve/memory_cache.hpp"
#include "base/wall_clock.hpp"
#include "dns_server.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::optional<DnsReply> no_reply(const DnsQuery&) { return std::nullopt; }

// One IPv4 and one IPv6 address for whatever is asked.
DnsReply both_families(const DnsQuery& query, std::uint32_t ttl = 300) {
  if (query.type == 1) return {.parts = {.answers = {record_a(query.name, ttl, "192.0.2.1")}}};
  return {.parts = {.answers = {record_aaaa(query.name, ttl, "2001:db8::1")}}};
}

// Only IPv4; of IPv6 the server says that there is none.
DnsReply only_ipv4(const DnsQuery& query, std::uint32_t ttl = 300) {
  if (query.type == 1) return {.parts = {.answers = {record_a(query.name, ttl, "192.0.2.1")}}};
  return {.parts = {.authority = {record_soa("example", 3600, 3600)}}};
}

std::string text_of(const Result<Resolved>& result) {
  if (!result) return "error: " + result.error().message;
  std::string text = result->from_cache ? "cached" : result->asked ? "asked" : "known";
  for (const Endpoint& endpoint : result->addresses) text += " " + endpoint.address_text();
  return text;
}

// What a connection does: asks, and is done.
struct Client {
  Task<> run(Resolver& resolver, std::string name) {
    auto answer = co_await resolver.resolve(std::move(name));
    result = std::move(answer);
  }
  void start(Resolver& resolver, const std::string& name) {
    task.emplace(run(resolver, name));
    task->start();
  }
  std::optional<Task<>> task;
  std::optional<Result<Resolved>> result;
};

struct ResolverTest : testing::Test {
  ResolverTest() : cache(100) {
    auto made = Loop::make();
    EXPECT_TRUE(made);
    loop = std::move(*made);
    settings.hosts = SONDE_TEST_FOLDER "/hosts_" + std::to_string(::getpid());
    settings.resolv_conf = SONDE_TEST_FOLDER "/resolv_" + std::to_string(::getpid());
    settings.family_wait = 5s;  // a busy machine may part the two answers
    write(settings.hosts, "");
  }
  ~ResolverTest() override {
    ::unlink(settings.hosts.c_str());
    ::unlink(settings.resolv_conf.c_str());
  }

  static void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

  void serve(DnsServer::Handler handler, const char* address = "127.0.0.1") {
    server = std::make_unique<DnsServer>(std::move(handler), address);
    config.dns.servers = {server->text()};
    make();
  }
  void make() {
    auto made = Resolver::make(*loop, config, cache, settings);
    ASSERT_TRUE(made) << made.error().text();
    resolver = std::move(*made);
  }
  std::string ask(const std::string& name) {
    Client client;
    client.start(*resolver, name);
    run_until([&] { return client.result.has_value(); });
    last_error = client.result && !*client.result ? client.result->error().code : 0;
    return client.result ? text_of(*client.result) : "waits";
  }
  template <class Condition>
  void run_until(Condition condition, std::chrono::milliseconds patience = 10s) {
    const auto end = Clock::now() + patience;
    while (!condition() && Clock::now() < end) loop->run_once(10ms);
  }
  void run_for(std::chrono::milliseconds time) {
    run_until([] { return false; }, time);
  }

  std::unique_ptr<Loop> loop;
  MemoryCache cache;
  ProxyConfig config;
  ResolverSettings settings;
  std::unique_ptr<DnsServer> server;
  std::unique_ptr<Resolver> resolver;
  int last_error = 0;
};

TEST_F(ResolverTest, BothFamiliesAreAskedForAndKept) {
  serve([](const DnsQuery& query) { return both_families(query); });
  EXPECT_EQ(ask("www.example"), "asked 2001:db8::1 192.0.2.1");
  EXPECT_THAT(server->questions(), UnorderedElementsAre("AAAA www.example", "A www.example"));
  EXPECT_EQ(ask("www.example"), "cached 2001:db8::1 192.0.2.1");
  EXPECT_EQ(ask("WWW.Example."), "cached 2001:db8::1 192.0.2.1");
  EXPECT_EQ(server->count(), 2U);
}

TEST_F(ResolverTest, FamiliesTakeTurns) {
  serve([](const DnsQuery& query) -> DnsReply {
    DnsReply reply;
    for (const char* const end : {"1", "2", "3"}) {
      if (query.type == 1)
        reply.parts.answers.push_back(record_a(query.name, 60, (std::string("192.0.2.") + end).c_str()));
      if (query.type == 28 && *end < '3') {
        reply.parts.answers.push_back(record_aaaa(query.name, 60, (std::string("2001:db8::") + end).c_str()));
      }
    }
    return reply;
  });
  EXPECT_EQ(ask("www.example"), "asked 2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 192.0.2.3");
}

TEST_F(ResolverTest, TtlIsHonoured) {
  serve([](const DnsQuery& query) { return only_ipv4(query, 1); });
  EXPECT_EQ(ask("www.example"), "asked 192.0.2.1");
  EXPECT_EQ(ask("www.example"), "cached 192.0.2.1");
  run_for(1100ms);
  EXPECT_EQ(ask("www.example"), "asked 192.0.2.1");
}

TEST_F(ResolverTest, TtlOfZeroIsForThisOnceOnly) {
  serve([](const DnsQuery& query) { return only_ipv4(query, 0); });
  EXPECT_EQ(ask("www.example"), "asked 192.0.2.1");
  EXPECT_EQ(ask("www.example"), "asked 192.0.2.1");
}

// How long an entry is kept, in seconds.
std::int64_t time_kept(DnsCache& cache, const std::string& name) {
  DnsCache::Entry entry;
  if (!cache.find(name, entry)) return 0;
  return (entry.expires_wall_ns - wall_now_ns() + 999'999'999) / 1'000'000'000;
}

TEST_F(ResolverTest, TtlHasAMost) {
  config.dns.max_ttl = 120s;
  serve([](const DnsQuery& query) { return both_families(query, 100'000); });
  ask("www.example");
  EXPECT_EQ(time_kept(cache, "www.example"), 120);
}

TEST_F(ResolverTest, AliasesAndTheLeastTtlOfBothAnswers) {
  serve([](const DnsQuery& query) -> DnsReply {
    DnsReply reply{.parts = {.answers = {record_cname(query.name, 700, "real.example")}}};
    reply.parts.answers.push_back(query.type == 1 ? record_a("real.example", 60, "192.0.2.1")
                                                  : record_aaaa("real.example", 600, "2001:db8::1"));
    return reply;
  });
  EXPECT_EQ(ask("www.example"), "asked 2001:db8::1 192.0.2.1");
  EXPECT_EQ(time_kept(cache, "www.example"), 60);
}

TEST_F(ResolverTest, NegativeAnswersAreKept) {
  config.dns.negative_ttl = 20s;
  serve([](const DnsQuery& query) -> DnsReply {
    if (query.name == "none.example") return {.parts = {.authority = {record_soa("example", 3600, 10)}}};
    if (query.name == "silent.example") return {.parts = {.code = 3}};
    return {.parts = {.code = 3, .authority = {record_soa("example", 3600, 3600)}}};
  });
  EXPECT_EQ(ask("missing.example"), "error: no such name");
  EXPECT_EQ(last_error, 0);
  EXPECT_EQ(ask("missing.example"), "error: no such name, or it has no address");
  EXPECT_EQ(server->count(), 2U);
  EXPECT_EQ(time_kept(cache, "missing.example"), 20) << "negative_ttl is the most";
  EXPECT_EQ(ask("none.example"), "error: the name has no address");
  EXPECT_EQ(time_kept(cache, "none.example"), 10) << "the SOA says so";
  ask("silent.example");
  EXPECT_EQ(time_kept(cache, "silent.example"), 20) << "no SOA";
}

TEST_F(ResolverTest, FailuresAreNotKept) {
  serve([](const DnsQuery&) -> DnsReply { return {.parts = {.code = 2}}; });
  const std::string first = ask("www.example");
  EXPECT_THAT(first, testing::StartsWith("error: the name server answered SERVFAIL"));
  EXPECT_EQ(last_error, 0);
  const auto before = server->count();
  EXPECT_EQ(ask("www.example"), first);
  EXPECT_GT(server->count(), before) << "asked again";
}

TEST_F(ResolverTest, AFailureOfOneFamilyIsNotNegative) {
  config.dns.negative_ttl = 20s;
  serve([](const DnsQuery& query) -> DnsReply {
    if (query.type == 28) return {.parts = {.code = 2}};
    return query.name == "none.example" ? DnsReply() : only_ipv4(query);
  });
  EXPECT_EQ(ask("www.example"), "asked 192.0.2.1");
  EXPECT_EQ(time_kept(cache, "www.example"), 20) << "the other family is asked for again soon";
  EXPECT_THAT(ask("none.example"), testing::StartsWith("error: the name server answered SERVFAIL"));
  EXPECT_EQ(time_kept(cache, "none.example"), 0);
}

TEST_F(ResolverTest, WhoDoesNotAnswerInTimeIsTimedOut) {
  config.timeouts.dns = 300ms;
  serve(no_reply);
  const auto begin = Clock::now();
  EXPECT_EQ(ask("www.example"), "error: no answer from the name servers");
  EXPECT_EQ(last_error, ETIMEDOUT);
  EXPECT_GE(Clock::now() - begin, 250ms);
  EXPECT_LT(Clock::now() - begin, 1s);
  EXPECT_EQ(time_kept(cache, "www.example"), 0);
}

TEST_F(ResolverTest, ALostQuestionIsSentAgain) {
  std::atomic<int> questions = 0;
  serve([&](const DnsQuery& query) -> std::optional<DnsReply> {
    if (questions++ < 2) return std::nullopt;
    return both_families(query);
  });
  EXPECT_EQ(ask("www.example"), "asked 2001:db8::1 192.0.2.1");
  EXPECT_EQ(questions, 4);
}

TEST_F(ResolverTest, TheNextServerIsAsked) {
  config.timeouts.dns = 700ms;
  const DnsServer silent(no_reply);
  server = std::make_unique<DnsServer>([](const DnsQuery& query) { return both_families(query); }, "::1");
  config.dns.servers = {silent.text(), server->text()};
  make();
  EXPECT_EQ(ask("www.example"), "asked 2001:db8::1 192.0.2.1");
  EXPECT_GT(silent.count(), 0U);
}

TEST_F(ResolverTest, TruncatedAnswersComeOverTcp) {
  serve([](const DnsQuery& query) -> DnsReply {
    if (!query.tcp) return {.parts = {.truncated = true}};
    DnsReply reply;
    for (int i = 1; i < 200 && query.type == 1; ++i) {
      reply.parts.answers.push_back(record_a(query.name, 60, ("192.0.2." + std::to_string(i)).c_str()));
    }
    return reply;
  });
  const std::string answer = ask("big.example");
  EXPECT_THAT(answer, testing::StartsWith("asked 192.0.2.1 192.0.2.2 "));
  EXPECT_THAT(answer, testing::EndsWith(" 192.0.2.199"));
  EXPECT_THAT(server->questions(), testing::IsSupersetOf({"A big.example", "A big.example over TCP"}));
  EXPECT_EQ(ask("big.example"),
            "cached 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6 192.0.2.7 192.0.2.8");
}

TEST_F(ResolverTest, ManyWhoAskForOneNameAskOnce) {
  serve([](const DnsQuery& query) {
    auto reply = both_families(query);
    reply.delay = 50ms;
    return reply;
  });
  std::vector<Client> clients(100);
  for (auto& client : clients) client.start(*resolver, "www.example");
  run_until([&] { return std::ranges::all_of(clients, [](const Client& c) { return c.result.has_value(); }); });
  for (const auto& client : clients) EXPECT_EQ(text_of(*client.result), "asked 2001:db8::1 192.0.2.1");
  EXPECT_EQ(server->count(), 2U);
}

TEST_F(ResolverTest, ManyNamesAtATime) {
  serve([](const DnsQuery& query) { return both_families(query); });
  std::vector<Client> clients(100);  // as many as the server's socket has room for
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i].start(*resolver, "n" + std::to_string(i) + ".example");
  run_until([&] { return std::ranges::all_of(clients, [](const Client& c) { return c.result.has_value(); }); });
  for (const auto& client : clients) EXPECT_EQ(text_of(*client.result), "asked 2001:db8::1 192.0.2.1");
}

TEST_F(ResolverTest, WhoIsGoneIsForgotten) {
  serve([](const DnsQuery& query) {
    auto reply = both_families(query);
    reply.delay = 50ms;
    return reply;
  });
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<Client>());
    clients.back()->start(*resolver, "www.example");
  }
  for (int i = 0; i < 10; i += 2) clients[static_cast<std::size_t>(i)].reset();
  run_until([&] { return clients[9]->result.has_value(); });
  for (int i = 1; i < 10; i += 2) EXPECT_TRUE(clients[static_cast<std::size_t>(i)]->result) << i;
  clients.clear();
  Client alone;
  alone.start(*resolver, "other.example");
  alone.task.reset();
  run_until([&] { return time_kept(cache, "other.example") > 0; });
  EXPECT_EQ(ask("other.example"), "cached 2001:db8::1 192.0.2.1") << "the answer was kept all the same";
}

// One that goes on destroys another that waits for the same answer.
struct Killer {
  Task<> run(Resolver& resolver, Client& victim) {
    auto answer = co_await resolver.resolve("www.example");
    victim.task.reset();
    done = answer.has_value();
  }
  bool done = false;
};

TEST_F(ResolverTest, OneThatGoesOnMayEndAnother) {
  serve([](const DnsQuery& query) { return both_families(query); });
  Client before;
  Client after;
  Killer killer;
  before.start(*resolver, "www.example");
  auto task = killer.run(*resolver, before);
  task.start();
  after.start(*resolver, "www.example");
  run_until([&] { return killer.done && after.result; });
  EXPECT_TRUE(killer.done);
  EXPECT_EQ(text_of(*after.result), "asked 2001:db8::1 192.0.2.1");
}

TEST_F(ResolverTest, ASlowFamilyIsNotWaitedForLong) {
  settings.family_wait = ResolverSettings().family_wait;
  serve([](const DnsQuery& query) {
    auto reply = both_families(query);
    if (query.type == 28) reply.delay = 2s;
    return reply;
  });
  const auto begin = Clock::now();
  EXPECT_EQ(ask("www.example"), "asked 192.0.2.1");
  EXPECT_GE(Clock::now() - begin, 50ms);
  EXPECT_LT(Clock::now() - begin, 1500ms);
  EXPECT_EQ(ask("www.example"), "asked 192.0.2.1") << "who comes meanwhile gets what there is";
  EXPECT_EQ(server->count(), 2U);
  run_until([&] { return time_kept(cache, "www.example") > 0; });
  EXPECT_EQ(ask("www.example"), "cached 2001:db8::1 192.0.2.1");
}

TEST_F(ResolverTest, AddressesAreGivenAsTheyAre) {
  serve(no_reply);
  EXPECT_EQ(ask("192.0.2.7"), "known 192.0.2.7");
  EXPECT_EQ(ask("2001:db8::7"), "known 2001:db8::7");
  EXPECT_EQ(server->count(), 0U);
}

TEST_F(ResolverTest, HostsFileIsReadAgainWhenItChanges) {
  write(settings.hosts,
        "# names\n192.0.2.9\tOne.example two.example # not this\n2001:db8::9 one.example\nnonsense x\n");
  serve(no_reply);
  EXPECT_EQ(ask("one.example"), "known 2001:db8::9 192.0.2.9");
  EXPECT_EQ(ask("two.example"), "known 192.0.2.9");
  write(settings.hosts, "192.0.2.10 one.example\n");
  run_for(1100ms);
  EXPECT_EQ(ask("one.example"), "known 192.0.2.10");
  EXPECT_EQ(server->count(), 0U);
}

TEST_F(ResolverTest, NoNames) {
  serve(no_reply);
  EXPECT_EQ(ask(""), "error: not a host name");
  EXPECT_EQ(ask(std::string(254, 'a')), "error: not a host name");
  EXPECT_THAT(ask(std::string(64, 'a') + ".example"), testing::StartsWith("error: "));
  EXPECT_EQ(server->count(), 0U);
}

TEST_F(ResolverTest, ServersThatAreNone) {
  config.dns.servers = {"ns.example"};
  const auto made = Resolver::make(*loop, config, cache, settings);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::usage);
  EXPECT_THAT(made.error().message, testing::HasSubstr("ns.example"));
}

TEST_F(ResolverTest, AnUnreachableServerIsAnErrorAtOnce) {
  config.dns.servers = {DnsServer(no_reply).text()};
  make();
  const auto begin = Clock::now();
  EXPECT_THAT(ask("www.example"), testing::StartsWith("error: Could not contact DNS servers"));
  EXPECT_LT(Clock::now() - begin, 2s);
}

TEST_F(ResolverTest, QuestionsThatAreOpenAtTheEndAreDropped) {
  serve(no_reply);
  {
    Client client;
    client.start(*resolver, "www.example");
    run_for(20ms);
  }
  resolver.reset();
  run_for(50ms);
}

}  // namespace
}  // namespace sonde::proxy
