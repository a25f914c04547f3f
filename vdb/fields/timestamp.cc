// ISO 8601 times: Timestamp::Parse and ToString. Days are counted by the civil-calendar arithmetic of the proleptic
// Gregorian calendar (400-year eras of 146,097 days).
#include <vdb/filter.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kDaysPerEra = 146'097;
constexpr std::int64_t kDaysTo1970 = 719'468;  // from 0000-03-01
constexpr int kMaxFractionDigits = 9;

std::int64_t DaysFromCivil(std::int64_t year, std::int64_t month, std::int64_t day) {
  if (month <= 2) --year;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * kDaysPerEra + day_of_era - kDaysTo1970;
}

struct Civil {
  std::int64_t year, month, day;
};

Civil CivilFromDays(std::int64_t days) {
  days += kDaysTo1970;
  const std::int64_t era = (days >= 0 ? days : days - (kDaysPerEra - 1)) / kDaysPerEra;
  const std::int64_t day_of_era = days - era * kDaysPerEra;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_index = (5 * day_of_year + 2) / 153;
  const std::int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day_of_year - (153 * month_index + 2) / 5 + 1};
}

std::int64_t DaysInMonth(std::int64_t year, std::int64_t month) {
  constexpr std::array<std::int64_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

// Takes characters off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool Done() const { return text_.empty(); }
  bool Take(std::string_view any_of) {
    if (text_.empty() || any_of.find(text_[0]) == std::string_view::npos) return false;
    taken_ = text_[0];
    text_.remove_prefix(1);
    return true;
  }
  char taken() const { return taken_; }
  // Exactly `digits` digits, with a value in [low, high].
  bool Number(std::size_t digits, std::int64_t low, std::int64_t high, std::int64_t* out) {
    if (text_.size() < digits) return false;
    *out = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (text_[i] < '0' || text_[i] > '9') return false;
      *out = *out * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(digits);
    return *out >= low && *out <= high;
  }
  // 1 to kMaxFractionDigits digits, as microseconds.
  bool Fraction(std::int64_t* micros) {
    *micros = 0;
    int digits = 0;
    std::int64_t scale = kMicrosPerSecond;
    while (!text_.empty() && text_[0] >= '0' && text_[0] <= '9') {
      if (++digits > kMaxFractionDigits) return false;
      scale /= 10;
      *micros += scale * (text_[0] - '0');
      text_.remove_prefix(1);
    }
    return digits > 0;
  }

 private:
  std::string_view text_;
  char taken_ = '\0';
};

// Z, +01, +0100, +01:00 or nothing.
bool ReadZone(Scanner* scan, std::int64_t* offset_seconds) {
  *offset_seconds = 0;
  if (scan->Done() || scan->Take("Zz")) return true;
  if (!scan->Take("+-")) return false;
  const std::int64_t sign = scan->taken() == '-' ? -1 : 1;
  std::int64_t hours = 0;
  std::int64_t minutes = 0;
  if (!scan->Number(2, 0, 23, &hours)) return false;
  if (!scan->Done()) {
    (void)scan->Take(":");
    if (!scan->Number(2, 0, 59, &minutes)) return false;
  }
  *offset_seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

bool ReadTime(std::string_view text, std::int64_t* micros) {
  Scanner scan(text);
  std::int64_t year = 0;
  std::int64_t month = 0;
  std::int64_t day = 0;
  if (!scan.Number(4, 1, 9999, &year) || !scan.Take("-") || !scan.Number(2, 1, 12, &month) || !scan.Take("-") ||
      !scan.Number(2, 1, DaysInMonth(year, month), &day)) {
    return false;
  }
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  std::int64_t second = 0;
  std::int64_t fraction = 0;
  std::int64_t offset = 0;
  if (!scan.Done()) {
    if (!scan.Take("Tt ") || !scan.Number(2, 0, 23, &hour) || !scan.Take(":") || !scan.Number(2, 0, 59, &minute)) {
      return false;
    }
    if (scan.Take(":")) {
      if (!scan.Number(2, 0, 59, &second)) return false;
      if (scan.Take(".,") && !scan.Fraction(&fraction)) return false;
    }
    if (!ReadZone(&scan, &offset)) return false;
  }
  const std::int64_t seconds =
      DaysFromCivil(year, month, day) * kSecondsPerDay + hour * 3600 + minute * 60 + second - offset;
  *micros = seconds * kMicrosPerSecond + fraction;
  return scan.Done();
}

}  // namespace

Result<Timestamp> Timestamp::Parse(std::string_view text) {
  Timestamp out;
  if (!ReadTime(text, &out.micros)) {
    return InvalidArgumentError(
        StrCat("'", text.substr(0, 64), "' is not a time; wanted YYYY-MM-DD[THH:MM[:SS[.ffffff]][Z|+hh:mm]]"));
  }
  return out;
}

std::string Timestamp::ToString() const {
  std::int64_t seconds = micros / kMicrosPerSecond;
  std::int64_t fraction = micros % kMicrosPerSecond;
  if (fraction < 0) {
    fraction += kMicrosPerSecond;
    --seconds;
  }
  std::int64_t days = seconds / kSecondsPerDay;
  std::int64_t rest = seconds % kSecondsPerDay;
  if (rest < 0) {
    rest += kSecondsPerDay;
    --days;
  }
  const Civil civil = CivilFromDays(days);
  std::array<char, 128> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld",
                static_cast<long long>(civil.year), static_cast<long long>(civil.month),
                static_cast<long long>(civil.day), static_cast<long long>(rest / 3600),
                static_cast<long long>(rest / 60 % 60), static_cast<long long>(rest % 60));
  std::string out(buffer.data());
  if (fraction != 0) {
    std::snprintf(buffer.data(), buffer.size(), ".%06lld", static_cast<long long>(fraction));
    out += buffer.data();
    while (out.back() == '0') out.pop_back();
  }
  out += 'Z';
  return out;
}

}  // namespace vdb
