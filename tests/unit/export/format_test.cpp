// SPDX-License-Identifier: Apache-2.0
#include "export/format.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "export/base64.hpp"
#include "export/clock.hpp"

namespace sonde::exporter {
namespace {

template <class Append, class... Arguments>
std::string text_of(Append append_value, const Arguments&... arguments) {
  char buffer[64];
  return {buffer, append_value(buffer, arguments...)};
}

std::string inet_text(int family, const std::uint8_t* address) {
  char buffer[INET6_ADDRSTRLEN];
  return ::inet_ntop(family, address, buffer, sizeof(buffer));
}

// Words are zero, ffff or small more often than not, so that every shortening is met.
void fill(std::mt19937& random, std::uint8_t (&address)[16]) {
  for (int i = 0; i < 16; i += 2) {
    const unsigned long choices[] = {0, 0, 0, 0xffff, random() % 16, random() % 256, random() % 4096, random()};
    const unsigned long word = choices[random() % 8];
    address[i] = static_cast<std::uint8_t>(word >> 8);
    address[i + 1] = static_cast<std::uint8_t>(word);
  }
}

TEST(Format, Ipv6IsAsInetNtop) {
  std::mt19937 random(1);
  for (int round = 0; round < 200'000; ++round) {
    std::uint8_t address[16];
    fill(random, address);
    ASSERT_EQ(text_of(append_ipv6, address), inet_text(AF_INET6, address));
  }
}

// All 256 patterns of zero words, with an end that could be IPv4.
TEST(Format, Ipv6ZeroRuns) {
  for (unsigned pattern = 0; pattern < 256; ++pattern) {
    for (const std::uint8_t value : {0x01, 0xff}) {
      std::uint8_t address[16] = {};
      for (unsigned word = 0; word < 8; ++word) {
        if (pattern >> word & 1U) address[2 * word] = address[2 * word + 1] = value;
      }
      ASSERT_EQ(text_of(append_ipv6, address), inet_text(AF_INET6, address));
    }
  }
}

TEST(Format, Ipv4IsAsInetNtop) {
  for (unsigned i = 0; i < 256; ++i) {
    const auto octet = static_cast<std::uint8_t>(i);
    const std::uint8_t address[4] = {octet, static_cast<std::uint8_t>(255 - i), 0, octet};
    ASSERT_EQ(text_of(append_ipv4, address), inet_text(AF_INET, address));
  }
}

TEST(Format, Numbers) {
  for (const std::uint32_t value : {0U, 9U, 10U, 99U, 100U, 65535U, 999'999'999U, 1'000'000'000U, 4'294'967'295U}) {
    EXPECT_EQ(text_of(append_number, value), std::to_string(value));
  }
  EXPECT_EQ(text_of(append_nanoseconds, 0U), "000000000");
  EXPECT_EQ(text_of(append_nanoseconds, 123'456'789U), "123456789");
  EXPECT_EQ(text_of(append_nanoseconds, 1'020'304U), "001020304");
  EXPECT_EQ(text_of(append_hex16, std::uint16_t{0x88cc}), "0x88cc");
}

// RFC 4648 10, and bytes that need + and /.
TEST(Format, Base64) {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xfb\xff\xfe", "+//+"}};
  for (const auto& [plain, encoded] : vectors) {
    const std::vector<std::uint8_t> bytes(plain.begin(), plain.end());
    const std::span<const std::uint8_t> view(bytes);
    EXPECT_EQ(text_of(append_base64, view), encoded);
    EXPECT_EQ(base64_size(plain.size()), encoded.size());
  }
}

std::string strftime_text(const char* format, std::time_t time) {
  std::tm parts{};
  ::localtime_r(&time, &parts);
  char buffer[32];
  return {buffer, std::strftime(buffer, sizeof(buffer), format, &parts)};
}

TEST(Format, LocalTimeIsAsLocaltime) {
  ::setenv("TZ", "Europe/Berlin", 1);  // NOLINT(concurrency-mt-unsafe): no other thread
  ::tzset();
  TimeText time("%Y-%m-%d %H:%M:%S", TimeText::Zone::local);
  // Around the end of summer time 2026, when an hour comes twice, and before 1970.
  for (const std::int64_t second : {1'792'889'999LL, 1'792'890'000LL, 1'792'893'600LL, 0LL, -1LL}) {
    const std::string text = text_of([&](char* out) { return time.append(out, second * 1'000'000'000 + 5); });
    EXPECT_EQ(text, strftime_text("%Y-%m-%d %H:%M:%S", second) + ".000000005");
  }
}

TEST(Format, NegativeTimes) {
  TimeText time("%H:%M:%S", TimeText::Zone::utc);
  EXPECT_EQ(text_of([&](char* out) { return time.append(out, -1); }), "23:59:59.999999999");
}

}  // namespace
}  // namespace sonde::exporter
