#include <gtest/gtest.h>
#include <vdb/filter.h>

#include <string>

namespace vdb {
namespace {

TEST(Timestamp, ReadsEveryForm) {
  struct Case {
    const char* text;
    std::int64_t micros;
  };
  // Seconds as `date -u -d … +%s` gives them.
  constexpr Case kCases[] = {
      {"1970-01-01", 0},
      {"1970-01-01T00:00:00Z", 0},
      {"1969-12-31T23:59:59.5Z", -500'000},
      {"2000-02-29", 951'782'400'000'000},
      {"2024-01-02 03:04", 1'704'164'640'000'000},
      {"2024-01-02T03:04:05", 1'704'164'645'000'000},
      {"2024-01-02t03:04:05z", 1'704'164'645'000'000},
      {"2024-01-02T03:04:05+01:00", 1'704'161'045'000'000},
      {"2024-01-02T03:04:05-0130", 1'704'170'045'000'000},
      {"2024-01-02T03:04:05+01", 1'704'161'045'000'000},
      {"2024-01-02T03:04:05.123456789Z", 1'704'164'645'123'456},
      {"2024-01-02T03:04:05,25", 1'704'164'645'250'000},
      {"0001-01-01", -62'135'596'800'000'000},
      {"9999-12-31T23:59:59.999999Z", 253'402'300'799'999'999},
  };
  for (const Case& c : kCases) {
    const Result<Timestamp> time = Timestamp::Parse(c.text);
    ASSERT_TRUE(time.ok()) << c.text << ": " << time.status();
    EXPECT_EQ(time->micros, c.micros) << c.text;
  }
}

TEST(Timestamp, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "2024",
                           "2024-01",
                           "2024-1-02",
                           "2023-02-29",
                           "2024-00-01",
                           "2024-13-01",
                           "2024-04-31",
                           "0000-01-01",
                           "2024-01-02T",
                           "2024-01-02T24:00",
                           "2024-01-02T03:60",
                           "2024-01-02T03:04:60",
                           "2024-01-02T03:04:05.",
                           "2024-01-02T03:04:05.1234567890",
                           "2024-01-02T03:04:05X",
                           "2024-01-02T03:04:05Zz",
                           "2024-01-02T03:04:05+1",
                           "2024-01-02T03:04:05+01:",
                           " 2024-01-02",
                           "2024-01-02 ",
                           "tomorrow"}) {
    EXPECT_EQ(Timestamp::Parse(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(Timestamp, ToStringReadsBack) {
  for (const std::int64_t micros : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1'704'164'645'250'000},
                                    std::int64_t{-62'135'596'800'000'000}, std::int64_t{253'402'300'799'999'999},
                                    std::int64_t{951'782'400'000'000}, std::int64_t{-11'644'473'600'000'001}}) {
    const std::string text = Timestamp{micros}.ToString();
    const Result<Timestamp> back = Timestamp::Parse(text);
    ASSERT_TRUE(back.ok()) << text;
    EXPECT_EQ(back->micros, micros) << text;
  }
  EXPECT_EQ(Timestamp{1'704'164'645'250'000}.ToString(), "2024-01-02T03:04:05.25Z");
  EXPECT_EQ(Timestamp{-500'000}.ToString(), "1969-12-31T23:59:59.5Z");
}

}  // namespace
}  // namespace vdb
