// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include "child.hpp"
#include "kernel/object.hpp"

namespace sonde::test {
namespace {

TEST(Verdicts, GoWithExec) {
  const Fd verdicts(::bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "verdicts", sizeof(sonde_process_key), 1, 64, nullptr));
  ASSERT_TRUE(verdicts);
  auto events = processes::ProcessEvents::start(verdicts.get());
  ASSERT_TRUE(events) << events.error().text();
  enrich::ProcessTable table;
  Child executing([] { execute({"/bin/true"}); });
  Child staying([] {});
  const auto put = [&](const Child& child) {
    (*events)->drain(table);
    const sonde_process_key key{
        .start_time_ns = table.latest(child.pid())->start_time_ns, .pid = child.pid(), .reserved = 0};
    const std::uint8_t verdict = 1;
    EXPECT_TRUE(kernel::map_update(verdicts.get(), &key, &verdict));
    return key;
  };
  const auto gone = put(executing);
  const auto kept = put(staying);
  staying.go();  // it has a copy of the other one's gate
  executing.finish();
  staying.finish();
  std::uint8_t verdict = 0;
  EXPECT_EQ(kernel::map_lookup(verdicts.get(), &gone, &verdict).value(), false);
  EXPECT_EQ(kernel::map_lookup(verdicts.get(), &kept, &verdict).value(), true);
}

}  // namespace
}  // namespace sonde::test
