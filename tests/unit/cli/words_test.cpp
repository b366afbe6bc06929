// SPDX-License-Identifier: Apache-2.0
#include "words.hpp"

#include <gtest/gtest.h>

namespace sonde::cli {
namespace {

using namespace std::chrono_literals;

template <class T>
void expect_refused(const Result<T>& result, const std::string& word) {
  ASSERT_FALSE(result) << word;
  EXPECT_EQ(result.error().kind, ErrorKind::usage);
  EXPECT_NE(result.error().message.find("--option '" + word + "': expected"), std::string::npos)
      << result.error().message;
}

TEST(Words, Numbers) {
  EXPECT_EQ(*parse_number("--option", "0"), 0U);
  EXPECT_EQ(*parse_number("--option", "18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(*parse_number("--option", "65535", 65535), 65535U);
  for (const std::string word : {"", "-1", "+1", " 1", "1 ", "0x10", "1.5", "ten", "18446744073709551616"})
    expect_refused(parse_number("--option", word), word);
  expect_refused(parse_number("--option", "65536", 65535), "65536");
  EXPECT_NE(parse_number("--option", "9", 8).error().message.find("up to 8"), std::string::npos);
}

TEST(Words, Durations) {
  EXPECT_EQ(*parse_duration("--option", "10s"), 10s);
  EXPECT_EQ(*parse_duration("--option", "500ms"), 500ms);
  EXPECT_EQ(*parse_duration("--option", "2m"), 2min);
  EXPECT_EQ(*parse_duration("--option", "1h"), 1h);
  EXPECT_EQ(*parse_duration("--option", "1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("--option", "3"), 3s);
  for (const std::string word :
       {"", "s", "0s", "0", "-1s", "10 s", "10S", "10sec", "1d", "1e3s", "nan", "inf", "1s1s", "99999999h"})
    expect_refused(parse_duration("--option", word), word);
}

TEST(Words, Sizes) {
  EXPECT_EQ(*parse_size("--option", "65536"), 65536U);
  EXPECT_EQ(*parse_size("--option", "64K"), 65536U);
  EXPECT_EQ(*parse_size("--option", "16M"), 16U << 20);
  EXPECT_EQ(*parse_size("--option", "1G"), 1U << 30);
  for (const std::string word : {"", "0", "K", "-1K", "16MB", "16m", "1T", "9999999G", "1 K", "nan"})
    expect_refused(parse_size("--option", word), word);
}

}  // namespace
}  // namespace sonde::cli
