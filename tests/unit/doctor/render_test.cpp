// SPDX-License-Identifier: Apache-2.0
#include "doctor/render.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "doctor/doctor.hpp"

namespace sonde::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

DoctorReport faked() {
  DoctorReport report;
  report.kernel = "1.2.3 x";
  report.privileges = "user 7";
  report.features = {{"hooks", "good", "purpose", Answer::yes, "tcx", "", ""},
                     {"hooks", "rather-long", "other", Answer::no, "", "the \"reason\"", "the advice"},
                     {"sources", "third", "else", Answer::unknown, "", "not \xff tried", "run as root"}};
  report.interfaces = {{"lo", true, "loopback", Answer::no, 0, "tcx", "", "once"},
                       {"eth0", false, "ethernet", Answer::unknown, 9, "tcx", "tcx", ""}};
  report.capture = {"ebpf", "tcx", "clsact", ""};
  return report;
}

TEST(DoctorText, ReasonAndAdviceBelowWhatIsNotAYes) {
  const auto text = doctor_text(faked(), false);
  EXPECT_THAT(text, HasSubstr("\nhooks\n"
                              "  good         yes          purpose [tcx]\n"
                              "  rather-long  no           other\n"
                              "      the \"reason\"\n"
                              "      -> the advice\n"
                              "\nsources\n"
                              "  third        cannot tell  else\n"));
  EXPECT_THAT(text, HasSubstr("  eth0  down   ethernet   cannot tell  tcx         tcx\n"));
  EXPECT_THAT(text, HasSubstr("sonde capture: source ebpf, received packets by tcx, sent ones by clsact\n"));
}

TEST(DoctorText, ColourOnlyWhenAskedFor) {
  EXPECT_THAT(doctor_text(faked(), false), Not(HasSubstr("\033")));
  const auto text = doctor_text(faked(), true);
  for (const auto* cell : {"\033[32myes        \033[0m", "\033[31mno         \033[0m", "\033[33mcannot tell\033[0m"})
    EXPECT_THAT(text, HasSubstr(cell));
}

TEST(DoctorText, NoSource) {
  auto report = faked();
  report.capture = {"none", "", "", "no eBPF: broken"};
  EXPECT_THAT(doctor_text(report, false), HasSubstr("live packets cannot be had: no eBPF: broken"));
}

TEST(DoctorJson, OneLineWithEveryMember) {
  const auto text = doctor_json(faked());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["type"], "doctor");
  EXPECT_EQ(json["kernel"], "1.2.3 x");
  EXPECT_EQ(json["features"].size(), 3U);
  EXPECT_EQ(json["features"][1], nlohmann::json::parse(R"({"group":"hooks","name":"rather-long","purpose":"other",
      "answer":"no","hook":"","reason":"the \"reason\"","advice":"the advice"})"));
  EXPECT_EQ(json["features"][2]["answer"], "unknown");
  EXPECT_EQ(json["interfaces"][1]["xdp_program"], 9);
  EXPECT_EQ(json["capture"], nlohmann::json::parse(R"({"source":"ebpf","receive":"tcx","send":"clsact","reason":""})"));
}

TEST(DoctorAnswer, ByName) {
  const auto report = faked();
  EXPECT_EQ(doctor_answer(report, "good"), Answer::yes);
  EXPECT_EQ(doctor_answer(report, "rather-long"), Answer::no);
  EXPECT_EQ(doctor_answer(report, "no such feature"), Answer::unknown);
}

TEST(DoctorCommand, WrongWordsAreNamed) {
  for (const std::string word : {"--jsn", "extra"}) {
    std::ostringstream out, err;
    EXPECT_EQ(doctor({out, err, false}, {word}), usage);
    EXPECT_THAT(err.str(), HasSubstr(word));
    EXPECT_EQ(out.str(), "");
  }
}

}  // namespace
}  // namespace sonde::cli
