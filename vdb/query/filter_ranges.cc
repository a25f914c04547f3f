#include "vdb/query/filter_ranges.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vdb {
namespace {

// long double holds every int64, uint64 and double exactly.
static_assert(std::numeric_limits<long double>::digits >= 64);

// One end of a range.
struct Bound {
  long double value;
  bool strict;  // value itself is outside
};
// As many ranges are tried one after the other; a binary search of more is quicker.
constexpr std::size_t kMaxRangesInTurn = 8;
constexpr long double kInfinity = std::numeric_limits<long double>::infinity();

// The smallest and largest T within the bounds; low > high if there is none.
template <typename T>
void IntegerEnds(const Bound& low, const Bound& high, T* out_low, T* out_high) {
  constexpr long double kMin = std::numeric_limits<T>::min();
  constexpr long double kMax = std::numeric_limits<T>::max();
  const long double first = std::max(kMin, low.strict ? std::floor(low.value) + 1 : std::ceil(low.value));
  const long double last = std::min(kMax, high.strict ? std::ceil(high.value) - 1 : std::floor(high.value));
  if (first > last) {
    *out_low = std::numeric_limits<T>::max();
    *out_high = std::numeric_limits<T>::min();
    return;
  }
  *out_low = static_cast<T>(first);
  *out_high = static_cast<T>(last);
}

// The smallest double that low lets in.
double DoubleLow(const Bound& low) {
  constexpr double kUp = std::numeric_limits<double>::infinity();
  const auto near = static_cast<double>(low.value);
  const bool inside = low.strict ? near > low.value : near >= low.value;
  return inside ? near : std::nextafter(near, kUp);
}

NumberRanges::Range MakeRange(const Bound& low, const Bound& high) {
  NumberRanges::Range range{};
  IntegerEnds(low, high, &range.int_low, &range.int_high);
  IntegerEnds(low, high, &range.uint_low, &range.uint_high);
  range.double_low = DoubleLow(low);
  range.double_high = -DoubleLow({-high.value, high.strict});
  return range;
}

// The range of one comparison.
NumberRanges::Range RangeOf(FilterOp op, long double value) {
  switch (op) {
    case FilterOp::kLt:
      return MakeRange({-kInfinity, false}, {value, true});
    case FilterOp::kLe:
      return MakeRange({-kInfinity, false}, {value, false});
    case FilterOp::kGt:
      return MakeRange({value, true}, {kInfinity, false});
    case FilterOp::kGe:
      return MakeRange({value, false}, {kInfinity, false});
    default:
      return MakeRange({value, false}, {value, false});
  }
}

// Of ranges that hold one value each.
void SortByValue(NumberRanges* set) {
  set->by_value = true;
  for (const NumberRanges::Range& range : set->ranges) {
    if (range.int_low <= range.int_high) set->ints.push_back(range.int_low);
    if (range.uint_low <= range.uint_high) set->uints.push_back(range.uint_low);
    if (range.double_low <= range.double_high) set->doubles.push_back(range.double_low);
  }
  std::sort(set->ints.begin(), set->ints.end());
  std::sort(set->uints.begin(), set->uints.end());
  std::sort(set->doubles.begin(), set->doubles.end());
}

using ToNumber = std::optional<long double> (*)(const Value&);

NumberRanges BetweenRanges(std::optional<long double> low, std::optional<long double> high) {
  NumberRanges out;
  out.ranges.push_back(MakeRange({low.value_or(-kInfinity), false}, {high.value_or(kInfinity), false}));
  // One end that cannot be compared: inside the other it is TRUE AND NULL, outside FALSE AND NULL.
  out.in = low.has_value() && high.has_value() ? Verdict::kTrue : Verdict::kNull;
  out.out = Verdict::kFalse;
  return out;
}

std::optional<NumberRanges> MakeRanges(const FilterNode& leaf, ToNumber to_number) {
  if (leaf.op == FilterOp::kBetween) {
    const std::optional<long double> low = to_number(leaf.operands[0].value);
    const std::optional<long double> high = to_number(leaf.operands[1].value);
    if (!low.has_value() && !high.has_value()) return std::nullopt;
    return BetweenRanges(low, high);
  }
  if (leaf.op == FilterOp::kLike || leaf.op == FilterOp::kILike) return std::nullopt;
  NumberRanges out;
  bool others = false;
  for (const FilterOperand& operand : leaf.operands) {
    const std::optional<long double> number = to_number(operand.value);
    if (number.has_value()) {
      out.ranges.push_back(RangeOf(leaf.op, *number));
    } else {
      others = true;
    }
  }
  if (out.ranges.empty()) return std::nullopt;
  if (out.ranges.size() > kMaxRangesInTurn) SortByValue(&out);
  const bool negated = leaf.op == FilterOp::kNe;
  out.in = negated ? Verdict::kFalse : Verdict::kTrue;
  out.out = negated ? Verdict::kTrue : Verdict::kFalse;
  if (others) out.out = Verdict::kNull;
  return out;
}

template <typename T>
struct Ends {
  T NumberRanges::Range::*low;
  T NumberRanges::Range::*high;
};

template <typename T>
Verdict Pick(const NumberRanges& set, T value, const std::vector<T>& values, Ends<T> ends) {
  if (set.by_value) return std::binary_search(values.begin(), values.end(), value) ? set.in : set.out;
  const bool inside = std::any_of(set.ranges.begin(), set.ranges.end(), [&](const NumberRanges::Range& range) {
    return value >= range.*ends.low && value <= range.*ends.high;
  });
  return inside ? set.in : set.out;
}

}  // namespace

Verdict NumberRanges::OfInt(std::int64_t value) const {
  return Pick(*this, value, ints, {&Range::int_low, &Range::int_high});
}

Verdict NumberRanges::OfUint(std::uint64_t value) const {
  return Pick(*this, value, uints, {&Range::uint_low, &Range::uint_high});
}

Verdict NumberRanges::OfDouble(double value) const {
  return Pick(*this, value, doubles, {&Range::double_low, &Range::double_high});
}

std::optional<NumberRanges> MakeNumberRanges(const FilterNode& leaf) {
  return MakeRanges(leaf, [](const Value& value) -> std::optional<long double> {
    switch (value.type()) {
      case Value::Type::kInt64:
        return value.int64_value();
      case Value::Type::kUint64:
        return value.uint64_value();
      case Value::Type::kDouble:
        return value.double_value();
      default:
        return std::nullopt;
    }
  });
}

std::optional<NumberRanges> MakeTimeRanges(const FilterNode& leaf) {
  return MakeRanges(leaf, [](const Value& value) -> std::optional<long double> {
    if (value.type() != Value::Type::kTimestamp) return std::nullopt;
    return value.timestamp_value().micros;
  });
}

}  // namespace vdb
