// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "decode/bytes.hpp"

namespace sonde::decode {

using Buffer = std::vector<std::uint8_t>;

/// A file of tests/fuzz/corpus: "tls/client_hello_13".
Buffer corpus(const std::string& name);
/// Every file of a folder of the corpus.
std::vector<Buffer> corpus_folder(const std::string& name);
Buffer bytes_of(std::string_view text);

/// Calls `check` with each beginning of `bytes`, from none to all, in memory of exactly that size.
void for_each_cut(const Buffer& bytes, const std::function<void(Bytes)>& check);
/// Calls `check` with copies of `bytes` in which a few bytes are changed at random, in memory of exactly that size.
void for_each_damage(const Buffer& bytes, const std::function<void(Bytes)>& check);

}  // namespace sonde::decode
