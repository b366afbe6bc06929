// SPDX-License-Identifier: Apache-2.0
#include "decode/decode.hpp"
#include "export/base64.hpp"
#include "export/clock.hpp"
#include "export/events/owner.hpp"
#include "export/format.hpp"
#include "export/interfaces.hpp"
#include "export/json/decoded.hpp"
#include "export/json/escape.hpp"
#include "export/json/packet.hpp"
#include "export/json/summary.hpp"
#include "export/owners.hpp"
#include "export/sinks.hpp"
#include "export/writer.hpp"

namespace sonde::exporter {
namespace {

using Prefixes = std::array<std::string, 2>;  // `Z","interface":"eth0","direction":"in",` by direction

std::string make_prefix(std::string_view interface, std::string_view direction) {
  std::string prefix = "Z\",";
  append_json_member(prefix, "interface", interface);
  append_json_member(prefix, "direction", direction);
  return prefix;
}

Prefixes make_prefixes(const InterfaceTable& interfaces, std::uint32_t ifindex) {
  const std::string name = interface_name(interfaces, ifindex);
  return {make_prefix(name, "in"), make_prefix(name, "out")};
}

char* append_data(char* out, const Packet& packet) {
  out = append_number(append(out, ",\"captured\":"), packet.event->captured_size);
  out = append_base64(append(out, ",\"data\":\""), packet.bytes());
  *out++ = '"';
  return out;
}

// The members of the owner, with the comma before them.
std::string owner_members(const SocketOwner& owner) {
  nlohmann::ordered_json object;
  add_owner(object, owner);
  const auto text = object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return "," + text.substr(1, text.size() - 2);
}

class JsonSink final : public pipeline::Sink {
 public:
  JsonSink(Output output, JsonOptions options)
      : writer_(std::move(output)), options_(options), time_("%Y-%m-%dT%H:%M:%S", TimeText::Zone::utc) {}

  Result<void> write(std::span<const Packet> packets, const InterfaceTable& interfaces) override {
    for (const Packet& packet : packets) {
      char* end = write_packet(packet, interfaces);
      if (end == nullptr) return writer_.error();
      writer_.end_packet(end);
    }
    return {};
  }

  Result<void> flush() override { return writer_.flush(); }

  Result<void> finish(const pipeline::Summary& summary) override {
    const std::string text = summary_json(summary) + "\n";
    char* out = writer_.room(text.size());
    if (out == nullptr) return writer_.error();
    writer_.end_header(append(out, text));
    return writer_.flush();
  }

  [[nodiscard]] std::uint64_t written() const override { return writer_.written(); }

 private:
  char* write_packet(const Packet& packet, const InterfaceTable& interfaces) {
    const sonde_packet_event& event = *packet.event;
    const std::uint32_t ifindex = event.header.ifindex;
    const Prefixes& prefixes = prefixes_.get(ifindex, [&] { return make_prefixes(interfaces, ifindex); });
    const std::string& prefix = prefixes[event.direction & 1];
    const std::string decoded = options_.decoded ? decoded_member(packet) : std::string();
    const std::size_t data_size = options_.data ? base64_size(event.captured_size) : 0;
    const std::string& owner = owners_.get(packet, owner_members);
    char* out = writer_.room(max_packet_fields_size + prefix.size() + owner.size() + decoded.size() + data_size);
    if (out == nullptr) return nullptr;
    out = time_.append(append(out, "{\"type\":\"packet\",\"time\":\""), packet.wall_ns);
    out = append_packet_fields(append(out, prefix), event);
    out = append(out, owner);
    out = append(out, decoded);
    if (options_.data) out = append_data(out, packet);
    return append(out, "}\n");
  }

  static std::string decoded_member(const Packet& packet) {
    const auto decoded = decode::decode(packet);
    return decoded ? ",\"decoded\":" + json_of(*decoded) : std::string();
  }

  FdWriter writer_;
  JsonOptions options_;
  TimeText time_;
  PerInterface<Prefixes> prefixes_;
  PerOwner owners_;
};

}  // namespace

std::unique_ptr<pipeline::Sink> make_json_sink(Output output, JsonOptions options) {
  return std::make_unique<JsonSink>(std::move(output), options);
}

}  // namespace sonde::exporter
