// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/resolve/resolver.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <unordered_map>
#include <utility>

#include "actuators/proxy/config/address.hpp"
#include "actuators/proxy/resolve/dns_answer.hpp"
#include "actuators/proxy/resolve/dns_cache.abi.h"
#include "actuators/proxy/resolve/dns_channel.hpp"
#include "actuators/proxy/resolve/hosts_file.hpp"
#include "actuators/proxy/resolve/memory_cache.hpp"
#include "actuators/proxy/resolve/waiters.hpp"
#include "base/wall_clock.hpp"

namespace sonde::proxy {
namespace {

using Kind = DnsAnswer::Kind;

constexpr std::size_t longest_name = 253;

// RFC 8305 4: the families in turn, IPv6 first.
Addresses interleave(const Addresses& ipv6, const Addresses& ipv4) {
  Addresses mixed;
  for (std::size_t i = 0; i < std::max(ipv6.size(), ipv4.size()); ++i) {
    if (i < ipv6.size()) mixed.push_back(ipv6[i]);
    if (i < ipv4.size()) mixed.push_back(ipv4[i]);
  }
  return mixed;
}

Addresses interleave(const Addresses& any) {
  Addresses ipv6;
  Addresses ipv4;
  for (const Endpoint& endpoint : any) (endpoint.is_ipv4() ? ipv4 : ipv6).push_back(endpoint);
  return interleave(ipv6, ipv4);
}

// A name that is being asked for.
struct Question {
  explicit Question(std::string the_name) : name(std::move(the_name)) {}

  std::string name;
  std::optional<DnsAnswer> ipv6;
  std::optional<DnsAnswer> ipv4;
  Timer delay;
  bool early = false;  ///< one family's addresses are there, and the other's have been waited for long enough
  Waiters waiters;
};

bool has_addresses(const std::optional<DnsAnswer>& answer) { return answer && answer->kind == Kind::addresses; }

Addresses known_addresses(const Question& question) {
  return interleave(question.ipv6 ? question.ipv6->addresses : Addresses(),
                    question.ipv4 ? question.ipv4->addresses : Addresses());
}

DnsAnswer read(int status, std::span<const std::uint8_t> message, const std::string& name, std::uint16_t type) {
  if (!message.empty() && (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND)) {
    return read_dns_answer(message, name, type);
  }
  DnsAnswer answer;
  answer.failure = status == ARES_ETIMEOUT ? "" : ares_strerror(status);
  return answer;
}

std::unexpected<Error> no_answer() { return fail(ErrorKind::failed, "no answer from the name servers", {}, ETIMEDOUT); }

// Of a question whose answers are both there.
struct Outcome {
  Result<Addresses> addresses;
  std::chrono::seconds keep{0};  // 0: not to be cached
};

std::chrono::seconds seconds(std::uint32_t value) { return std::chrono::seconds(value); }

// For how long both halves of the answer hold. One that failed is to be asked for again soon.
std::chrono::seconds time_to_keep(const DnsAnswer& one, const DnsAnswer& other, const ProxyDns& limits) {
  auto keep = limits.max_ttl;
  bool negative = true;
  for (const DnsAnswer* answer : {&one, &other}) {
    if (answer->ttl) keep = std::min(keep, seconds(*answer->ttl));
    if (answer->kind == Kind::failure) keep = std::min(keep, limits.negative_ttl);
    negative = negative && answer->kind != Kind::addresses;
  }
  return negative ? std::min(keep, limits.negative_ttl) : keep;
}

Outcome conclude(const Question& question, const ProxyDns& limits) {
  const DnsAnswer& one = *question.ipv6;
  const DnsAnswer& other = *question.ipv4;
  const auto any = [&](Kind kind) { return one.kind == kind || other.kind == kind; };
  const auto keep = time_to_keep(one, other, limits);
  if (any(Kind::addresses)) return {known_addresses(question), keep};
  if (any(Kind::no_such_name)) return {fail(ErrorKind::failed, "no such name"), keep};
  if (!any(Kind::failure)) return {fail(ErrorKind::failed, "the name has no address"), keep};
  const std::string& why = one.failure.empty() ? other.failure : one.failure;
  if (why.empty()) return {no_answer()};
  return {fail(ErrorKind::failed, why)};
}

class AresResolver : public Resolver {
 public:
  AresResolver(Loop& loop, const ProxyConfig& config, DnsCache& cache, const ResolverSettings& settings)
      : loop_(loop),
        cache_(cache),
        limits_(config.dns),
        timeout_(config.timeouts.dns),
        family_wait_(settings.family_wait),
        hosts_(settings.hosts),
        resolv_conf_(settings.resolv_conf) {}

  Result<void> start() {
    for (const std::string& word : limits_.servers) {
      const auto server = parse_address(word);
      if (!server) return fail(ErrorKind::usage, "dns.servers: \"" + word + "\": expected an address, or ADDRESS:PORT");
      servers_.push_back(*server);
    }
    return open_channel();
  }

  Task<Result<Resolved>> resolve(std::string name) override;

 private:
  Result<void> open_channel();
  std::optional<Result<Resolved>> find_at_once(const std::string& name);
  std::shared_ptr<Question> ask(const std::string& name);
  void take(const std::shared_ptr<Question>& question);
  void finish(const std::shared_ptr<Question>& question);

  Loop& loop_;
  DnsCache& cache_;
  ProxyDns limits_;
  std::chrono::milliseconds timeout_;
  std::chrono::milliseconds family_wait_;
  std::vector<Endpoint> servers_;
  HostsFile hosts_;
  FileWatch resolv_conf_;
  std::unique_ptr<DnsChannel> channel_;
  std::unordered_map<std::string, std::shared_ptr<Question>> questions_;
};

// Anew when /etc/resolv.conf has changed: c-ares reads it once.
Result<void> AresResolver::open_channel() {
  const bool changed = servers_.empty() && resolv_conf_.has_changed(loop_.now());
  if (channel_ && !(changed && channel_->is_idle())) return {};
  auto made = DnsChannel::make(loop_, {servers_, resolv_conf_.path(), timeout_});
  if (!made) return std::unexpected(made.error());
  channel_ = std::move(*made);
  return {};
}

std::optional<Result<Resolved>> AresResolver::find_at_once(const std::string& name) {
  Endpoint literal;
  if (read_address(name, literal)) return Resolved{{literal}};
  if (name.empty() || name.size() > longest_name) return fail(ErrorKind::failed, "not a host name");
  if (const auto listed = hosts_.find(name, loop_.now()); !listed.empty()) return Resolved{interleave(listed)};
  DnsCache::Entry entry;
  if (!cache_.find(name, entry)) return std::nullopt;
  if (entry.addresses.empty()) return fail(ErrorKind::failed, "no such name, or it has no address");
  return Resolved{std::move(entry.addresses), true};
}

std::shared_ptr<Question> AresResolver::ask(const std::string& name) {
  if (const auto found = questions_.find(name); found != questions_.end()) return found->second;
  auto question = std::make_shared<Question>(name);
  questions_.emplace(name, question);
  question->delay.set_action([this, raw = question.get()] {
    const auto held = questions_.at(raw->name);
    held->early = true;
    held->waiters.tell(known_addresses(*held));
  });
  const auto ask_for = [&](std::uint16_t type, std::optional<DnsAnswer> Question::*half) {
    channel_->ask(name, type, [this, question, type, half](int status, std::span<const std::uint8_t> message) {
      (*question).*half = read(status, message, question->name, type);
      take(question);
    });
  };
  ask_for(dns_type_aaaa, &Question::ipv6);
  ask_for(dns_type_a, &Question::ipv4);
  return question;
}

// One of the two answers has come.
void AresResolver::take(const std::shared_ptr<Question>& question) {
  if (question->ipv6 && question->ipv4) return finish(question);
  if (has_addresses(question->ipv6) || has_addresses(question->ipv4)) {
    question->delay.set(loop_, loop_.now() + family_wait_);
  }
}

void AresResolver::finish(const std::shared_ptr<Question>& question) {
  question->delay.cancel();
  questions_.erase(question->name);
  auto outcome = conclude(*question, limits_);
  if (outcome.keep.count() > 0) {
    DnsCache::Entry entry;
    if (outcome.addresses) entry.addresses = *outcome.addresses;
    if (entry.addresses.size() > SONDE_DNS_ADDRESSES) entry.addresses.resize(SONDE_DNS_ADDRESSES);
    entry.expires_wall_ns = wall_now_ns() + std::chrono::nanoseconds(outcome.keep).count();
    cache_.put(question->name, entry);
  }
  question->waiters.tell(outcome.addresses);
}

Task<Result<Resolved>> AresResolver::resolve(std::string name) {
  name = fold_name(std::move(name));
  if (auto found = find_at_once(name)) co_return std::move(*found);
  if (auto opened = open_channel(); !opened) co_return std::unexpected(opened.error());
  const auto question = ask(name);
  if (question->early) co_return Resolved{known_addresses(*question), false, true};
  Waiter waiter(loop_, question->waiters, loop_.now() + timeout_, no_answer());
  auto addresses = co_await waiter;
  if (!addresses) co_return std::unexpected(addresses.error());
  co_return Resolved{std::move(*addresses), false, true};
}

}  // namespace

Result<std::unique_ptr<Resolver>> Resolver::make(Loop& loop, const ProxyConfig& config, DnsCache& cache,
                                                 const ResolverSettings& settings) {
  auto resolver = std::make_unique<AresResolver>(loop, config, cache, settings);
  if (auto started = resolver->start(); !started) return std::unexpected(started.error());
  return resolver;
}

}  // namespace sonde::proxy
