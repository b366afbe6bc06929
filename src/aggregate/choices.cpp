// SPDX-License-Identifier: Apache-2.0
#include "aggregate/choices.hpp"

#include <array>

namespace sonde::aggregate {
namespace {

template <class Value>
struct Choice {
  const char* word;
  Value value;
};

constexpr std::array<Choice<FlowGrouping>, 8> groupings = {{{"flow", FlowGrouping::flow},
                                                            {"process", FlowGrouping::process},
                                                            {"container", FlowGrouping::container},
                                                            {"src", FlowGrouping::source},
                                                            {"dst", FlowGrouping::destination},
                                                            {"dst-port", FlowGrouping::destination_port},
                                                            {"protocol", FlowGrouping::protocol},
                                                            {"country", FlowGrouping::country}}};
constexpr std::array<Choice<FlowOrder>, 5> orders = {{{"bytes", FlowOrder::bytes},
                                                      {"packets", FlowOrder::packets},
                                                      {"rate", FlowOrder::rate},
                                                      {"rtt", FlowOrder::rtt},
                                                      {"retrans", FlowOrder::retransmissions}}};

template <class Value, std::size_t size>
Result<Value> choose(const char* option, const std::string& word, const std::array<Choice<Value>, size>& choices) {
  std::string words;
  for (const auto& choice : choices) {
    if (word == choice.word) return choice.value;
    words += (words.empty() ? "" : ", ") + std::string(choice.word);
  }
  return fail(ErrorKind::usage, std::string(option) + " '" + word + "': expected one of " + words);
}

}  // namespace

Result<FlowGrouping> grouping_of(const std::string& word) { return choose("--by", word, groupings); }
Result<FlowOrder> order_of(const std::string& word) { return choose("--sort", word, orders); }

}  // namespace sonde::aggregate
