// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "frames.hpp"

namespace sonde::test {
namespace {

using ::testing::HasSubstr;

TEST(AfPacketOptions, UnknownInterfaceIsNamedWithThoseThatExist) {
  const Joined joined;
  const auto error = open_error(joined.right, options_for("eth7"));
  EXPECT_EQ(error.kind, ErrorKind::usage);
  EXPECT_THAT(error.message, HasSubstr("'eth7'"));
  EXPECT_THAT(error.message, HasSubstr("veth1"));
  EXPECT_THAT(error.message, HasSubstr("lo"));
}

TEST(AfPacketOptions, NameThatIsTooLong) {
  const NetworkNamespace alone;
  EXPECT_EQ(open_error(alone, options_for(std::string(40, 'x'))).kind, ErrorKind::usage);
}

TEST(AfPacketOptions, WorkersOutOfRange) {
  const NetworkNamespace alone;
  EXPECT_EQ(open_error(alone, options_for("lo", 0)).kind, ErrorKind::usage);
  EXPECT_EQ(open_error(alone, options_for("lo", 65)).kind, ErrorKind::usage);
}

TEST(AfPacketOptions, NoInterface) {
  const NetworkNamespace alone;
  EXPECT_EQ(open_error(alone, {}).kind, ErrorKind::usage);
}

// Of the calling thread only.
void drop_net_raw() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  ASSERT_EQ(::syscall(SYS_capget, &header, data), 0);
  data[0].effective &= ~(1U << CAP_NET_RAW);
  ASSERT_EQ(::syscall(SYS_capset, &header, data), 0);
}

TEST(AfPacketOptions, WithoutThePrivilegeTheHintNamesIt) {
  const NetworkNamespace alone;
  Error error;
  std::jthread([&] {
    drop_net_raw();
    error = open_error(alone, options_for("lo"));
  }).join();
  EXPECT_EQ(error.kind, ErrorKind::unsupported);
  EXPECT_THAT(error.hint, HasSubstr("CAP_NET_RAW"));
}

}  // namespace
}  // namespace sonde::test
