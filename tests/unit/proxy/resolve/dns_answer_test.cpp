// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/resolve/dns_answer.hpp"

#include <gtest/gtest.h>

#include "dns_message.hpp"

namespace sonde::proxy {
namespace {

using Kind = DnsAnswer::Kind;

DnsAnswer read(DnsParts parts, std::uint16_t type = dns_type_a) {
  parts.name = "www.example";
  parts.type = type;
  return read_dns_answer(dns_message(parts), "www.example", type);
}

std::string texts(const DnsAnswer& answer) {
  std::string all;
  for (const Endpoint& endpoint : answer.addresses) all += (all.empty() ? "" : " ") + endpoint.address_text();
  return all;
}

TEST(DnsAnswer, AddressesOfTheTypeThatWasAskedFor) {
  const std::vector<DnsRecordParts> records = {
      record_a("www.example", 300, "192.0.2.1"), record_a("WWW.Example", 200, "192.0.2.2"),
      record_aaaa("www.example", 100, "2001:db8::1"), record_a("other.example", 50, "192.0.2.3")};
  const DnsAnswer four = read({.answers = records});
  EXPECT_EQ(four.kind, Kind::addresses);
  EXPECT_EQ(texts(four), "192.0.2.1 192.0.2.2") << "of this name, in whatever case";
  EXPECT_EQ(four.ttl, 200U) << "the least";
  const DnsAnswer six = read({.answers = records}, dns_type_aaaa);
  EXPECT_EQ(texts(six), "2001:db8::1");
  EXPECT_EQ(six.ttl, 100U);
}

TEST(DnsAnswer, AliasesInAnyOrder) {
  const DnsAnswer answer =
      read({.answers = {record_a("b.example", 300, "192.0.2.1"), record_cname("a.example", 60, "B.example"),
                        record_cname("www.example", 900, "a.example")}});
  EXPECT_EQ(texts(answer), "192.0.2.1");
  EXPECT_EQ(answer.ttl, 60U) << "the least of the chain";
}

TEST(DnsAnswer, AliasesThatLeadNowhere) {
  EXPECT_EQ(read({.answers = {record_cname("www.example", 1, "www.example")}}).failure,
            "the name's aliases lead nowhere");
  const DnsAnswer alone = read({.answers = {record_cname("www.example", 100, "a.example")}});
  EXPECT_EQ(alone.kind, Kind::no_address);
  EXPECT_EQ(alone.ttl, std::nullopt);
}

TEST(DnsAnswer, NegativeAnswersLastAsLongAsTheSoaSays) {
  const DnsAnswer missing = read({.code = 3, .authority = {record_soa("example", 3600, 25)}});
  EXPECT_EQ(missing.kind, Kind::no_such_name);
  EXPECT_EQ(missing.ttl, 25U);
  EXPECT_EQ(read({.code = 3, .authority = {record_soa("example", 15, 3600)}}).ttl, 15U) << "the SOA's own TTL";
  EXPECT_EQ(read({.authority = {record_soa("example", 15, 3600)}}).kind, Kind::no_address);
  EXPECT_EQ(read({.code = 3}).ttl, std::nullopt);
  const DnsAnswer aliased = read({.code = 3,
                                  .answers = {record_cname("www.example", 5, "a.example")},
                                  .authority = {record_soa("example", 60, 60)}});
  EXPECT_EQ(aliased.ttl, 5U) << "the alias holds no longer than that";
}

TEST(DnsAnswer, FailuresAreNamed) {
  EXPECT_EQ(read({.code = 2}).failure, "the name server answered SERVFAIL");
  EXPECT_EQ(read({.code = 5}).failure, "the name server answered REFUSED");
  EXPECT_EQ(read({.code = 5}).kind, Kind::failure);
}

TEST(DnsAnswer, DamagedMessages) {
  const Buffer whole =
      dns_message({.name = "www.example",
                   .type = 1,
                   .answers = {record_cname("www.example", 60, "a.example"), record_a("a.example", 300, "192.0.2.1")},
                   .authority = {record_soa("example", 3600, 25)}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Buffer part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(read_dns_answer(part, "www.example", dns_type_a).kind, Kind::failure) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Buffer changed = whole;
    changed[at] ^= 0xff;
    [[maybe_unused]] const auto any = read_dns_answer(changed, "www.example", dns_type_a);
  }
  Buffer short_address = dns_message({.answers = {{"www.example", 1, 1, {1, 2, 3}}}});
  EXPECT_EQ(read_dns_answer(short_address, "www.example", dns_type_a).kind, Kind::no_address);
  Buffer question = whole;
  question[2] &= 0x7f;
  EXPECT_EQ(read_dns_answer(question, "www.example", dns_type_a).kind, Kind::failure) << "no response";
}

TEST(DnsAnswer, TopBitOfATtlIsZero) {
  EXPECT_EQ(read({.answers = {record_a("www.example", 0x80000001, "192.0.2.1")}}).ttl, 0U);
}

}  // namespace
}  // namespace sonde::proxy
