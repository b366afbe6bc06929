// SPDX-License-Identifier: Apache-2.0
#include "decode/dns.hpp"

#include <gtest/gtest.h>

#include "corpus.hpp"
#include "decode/decode.hpp"
#include "decode/dns_names.hpp"

namespace sonde::decode {
namespace {

std::string text_of(const Buffer& payload, DnsTransport transport = DnsTransport::udp, const char* protocol = "DNS") {
  const auto message = decode_dns(payload, transport);
  return message ? to_text(*message, protocol) : "none";
}

TEST(Dns, Questions) {
  EXPECT_EQ(text_of(corpus("dns/query_a")), "DNS A? www.example.com");
  EXPECT_EQ(text_of(corpus("dns/tcp_query_a"), DnsTransport::tcp), "DNS A? www.example.com");
}

TEST(Dns, Answers) {
  EXPECT_EQ(text_of(corpus("dns/response_cname_a")), "DNS A? www.example.com: CNAME web.example.com, A 192.0.2.1");
  EXPECT_EQ(text_of(corpus("dns/nxdomain")), "DNS AAAA? nope.example: NXDOMAIN");
  EXPECT_EQ(text_of(corpus("dns/mdns"), DnsTransport::udp, "mDNS"), "mDNS _ssh._tcp.local PTR box._ssh._tcp.local");
}

TEST(Dns, EveryTypeInPresentationFormat) {
  EXPECT_EQ(text_of(corpus("dns/response_all_types")),
            "DNS ANY? www.example.com: A 192.0.2.1, AAAA 2001:db8::1, NS ns1.example.net, MX 10 mail.www.example.com, "
            "TXT \"a \\\"b\\\\\" \"c\\001\", PTR host.example, SRV 1 2 443 srv.example, "
            "SOA ns1.example admin.example 2026112101 7200 3600 1209600 300, "
            "HTTPS 1 . alpn=\"h2,h3\" port=443 ipv4hint=192.0.2.9, TYPE65280 \\# 4 0a000001");
}

TEST(Dns, NamesAreEscapedAsDigDoes) {
  const Buffer name = {6, 'a', '.', ' ', '"', 0xff, '$', 1, '\\', 0};
  EXPECT_EQ(read_dns_name(name, 0)->text, "a\\.\\032\\\"\\255\\$.\\\\");
  EXPECT_EQ(read_dns_name(Buffer{0}, 0)->text, ".");
}

TEST(Dns, PointersOnlyLeadBack) {
  EXPECT_EQ(text_of(corpus("dns/pointer_loop")), "DNS [cut]");
  EXPECT_FALSE(read_dns_name(Buffer{0xc0, 0}, 0)) << "to itself";
  EXPECT_FALSE(read_dns_name(Buffer{0xc0, 2, 1, 'a', 0}, 0)) << "forward";
  EXPECT_FALSE(read_dns_name(Buffer{1, 'a', 0xc0, 0}, 0)) << "into the labels it ends";
  EXPECT_FALSE(read_dns_name(Buffer{0x40, 0}, 0)) << "a label kind that is not in use";
  const auto name = read_dns_name(Buffer{1, 'a', 0, 1, 'b', 0xc0, 0, 9}, 3);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->text, "b.a");
  EXPECT_EQ(name->next, 7U);
}

TEST(Dns, NamesEndAt255Bytes) {
  Buffer name;
  for (int i = 0; i < 127; ++i) name.insert(name.end(), {1, 'a'});
  name.push_back(0);
  EXPECT_TRUE(read_dns_name(name, 0)) << "255 bytes";
  name.insert(name.begin(), {1, 'a'});
  EXPECT_FALSE(read_dns_name(name, 0)) << "257 bytes";
}

TEST(Dns, DataThatIsNotOfItsTypeIsShownAsBytes) {
  Buffer response = corpus("dns/response_cname_a");
  response[response.size() - 5] = 3;  // an address of three bytes
  response.pop_back();
  EXPECT_EQ(text_of(response), "DNS A? www.example.com: CNAME web.example.com, A \\# 3 c00002");
}

TEST(Dns, CountsBeyondTheBytesAreCut) {
  Buffer query = corpus("dns/query_a");
  query[4] = query[5] = query[6] = query[7] = 0xff;
  EXPECT_EQ(text_of(query), "DNS A? www.example.com [cut]");
}

TEST(Dns, ListsAreShort) {
  Buffer query = corpus("dns/query_a");
  query[5] = 100;
  for (int i = 0; i < 99; ++i) query.insert(query.end(), {0, 0, 1, 0, 1});
  const auto message = decode_dns(query, DnsTransport::udp);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->questions.size(), DnsMessage::max_listed);
  EXPECT_EQ(message->question_count, 100);
  EXPECT_FALSE(message->cut);
}

TEST(Dns, EveryCut) {
  const Buffer whole = corpus("dns/response_all_types");
  for_each_cut(whole, [&](Bytes bytes) {
    const auto message = decode_dns(bytes, DnsTransport::udp);
    ASSERT_EQ(message.has_value(), bytes.size() >= 12);
    if (!message) return;
    EXPECT_EQ(message->cut, bytes.size() < whole.size()) << bytes.size();
  });
}

TEST(Dns, DamagedBytes) {
  for (const Buffer& bytes : corpus_folder("dns")) {
    for_each_damage(bytes, [](Bytes damaged) {
      const auto message = decode_dns(damaged, DnsTransport::udp);
      if (!message) return;
      for (const char character : to_text(*message, "DNS")) ASSERT_TRUE(character >= ' ' && character <= '~');
    });
  }
}

}  // namespace
}  // namespace sonde::decode
