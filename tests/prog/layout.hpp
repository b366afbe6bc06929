// SPDX-License-Identifier: Apache-2.0
// How this compiler lays out a struct, to be compared with the BTF of a BPF object.
#pragma once
#include <bpf/btf.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace sonde::test {

struct Member {
  std::size_t offset;
  std::size_t size;
};

struct Layout {
  std::string name;
  std::size_t size;
  bool no_padding;
  std::map<std::string, Member> members;
};

#define MEMBER(type, name)                              \
  {                                                     \
#name, { offsetof(type, name), sizeof(type::name) } \
  }
#define LAYOUT(type, ...)                                                                  \
  Layout {                                                                                 \
#type, sizeof(type), std::has_unique_object_representations_v < type>, { __VA_ARGS__ } \
  }

/// The struct of this name in `types` has these members at these places, and no others.
void compare(const btf* types, const Layout& layout);

/// An embedded BPF object.
using Elf = std::span<const std::uint8_t>;
/// Each of them in the object's BTF.
void compare(Elf elf, const std::vector<Layout>& layouts);

}  // namespace sonde::test
