// SPDX-License-Identifier: Apache-2.0
#include "kernel/network_namespaces.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace sonde::kernel {
namespace {

ino_t inode_of(int fd) {
  struct ::stat status {};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return status.st_ino;
}

TEST(NetworkNamespaces, OursIsThereOnce) {
  struct ::stat own {};
  ASSERT_EQ(::stat("/proc/self/ns/net", &own), 0);
  const auto found = network_namespaces();
  EXPECT_EQ(std::ranges::count_if(found, [&](const Fd& fd) { return inode_of(fd.get()) == own.st_ino; }), 1);
}

TEST(NetworkNamespaces, AFailureIsGivenBackAndEndsTheWork) {
  int calls = 0;
  const auto done = in_each_namespace({}, [&]() -> Result<void> {
    ++calls;
    return {};
  });
  EXPECT_TRUE(done);
  EXPECT_EQ(calls, 0);
}

TEST(NetworkNamespaces, ADescriptorThatIsNone) {
  std::vector<Fd> wrong;
  wrong.emplace_back(::dup(0));
  EXPECT_FALSE(in_each_namespace(wrong, []() -> Result<void> { return {}; }));
}

}  // namespace
}  // namespace sonde::kernel
