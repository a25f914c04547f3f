#include "vdb/index/measured_code_space.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "vdb/index/scored_slot.h"
#include "vdb/simd/packed_code.h"
#include "vdb/util/round_up.h"

namespace vdb {
namespace {

// Enough for a mean: its error is a hundredth of the rows' spread.
constexpr std::uint32_t kMeanRows = 10'000;

// Rows whose codes are compared with and without a rotation.
constexpr std::uint32_t kComparedRows = 1'000;
// A rotation is worth its time where codes without it have errors so many times larger. It makes the errors of all data
// those of normally distributed components; MNIST's are 0.9 times as large without it, those of WordNet's text
// embeddings 1.0 times.
constexpr double kRotateFrom = 2;

// What the components that are left out may add to |x - mean|^2, and to the squared distance of neighbours, on the
// average. Measured on MNIST, of whose 784 components 560 remain: recall at ef 14 to 36 is the same within .0002, and
// .0006 less with 496, which leave out three to four times as much.
constexpr double kShareOfRows = 5e-4;
constexpr double kShareOfNeighbours = 1e-3;
constexpr std::uint32_t kNeighbourQueries = 64;
constexpr std::size_t kNeighbours = 10;
// Rows that a search for as many neighbours may look at to tell which are the nearest: what a walk holds for it.
constexpr std::size_t kLookedAt = 26;
// Rows are packed where a search need look at no more than this of them on the average. Of packed MNIST and WordNet it
// looks at 12, of 8 bits at 10.3; the walk reads a third to two fifths less.
constexpr double kMostLookedAt = 18;
// And where no more than one search in so many would have to look at all that it holds, and perhaps at more.
constexpr std::size_t kOneInFull = 16;
// Rows among which neighbours are looked for.
constexpr std::uint32_t kNeighbourRows = 1'048'576;
// Of the rows that are looked at, those that may have more than CodeSpace::kOddShare of their own in what is left out.
constexpr std::size_t kOddRows = 1;
constexpr std::size_t kLineBytes = 64;

using Use = std::function<bool(std::uint32_t)>;

// About `count` evenly spaced slots below rows; of each stretch the first that may be taken.
std::vector<std::uint32_t> SampleSlots(std::uint32_t rows, std::uint32_t count, const Use& use) {
  std::vector<std::uint32_t> slots;
  const std::uint64_t step = std::max(1U, rows / count);
  for (std::uint64_t begin = 0; begin < rows; begin += step) {
    const std::uint64_t end = std::min<std::uint64_t>(rows, begin + step);
    std::uint64_t slot = begin;
    while (slot < end && !use(static_cast<std::uint32_t>(slot))) ++slot;
    if (slot < end) slots.push_back(static_cast<std::uint32_t>(slot));
  }
  return slots;
}

double SquaredDistance(const float* a, const float* b, std::size_t dim) {
  double square = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    const double difference = double{a[i]} - double{b[i]};
    square += difference * difference;
  }
  return square;
}

// Of one pair of rows, or of a row and the mean, what share each component has in the squared distance; added to sums.
// Nothing of pairs that are the same, or too far apart.
void AddShares(const float* a, const float* b, std::vector<double>* sums) {
  const double square = SquaredDistance(a, b, sums->size());
  if (!(square > 0 && std::isfinite(square))) return;
  for (std::size_t i = 0; i < sums->size(); ++i) {
    const double difference = double{a[i]} - double{b[i]};
    (*sums)[i] += difference * difference / square;
  }
}

// Room for codes of one space.
class CodeList {
 public:
  CodeList(const CodeSpace& space, std::size_t codes)
      : units_((space.node_bytes() + sizeof(NodeCode) - 1) / sizeof(NodeCode)), room_(units_ * codes) {}

  NodeCode* at(std::size_t i) { return &room_[i * units_]; }

 private:
  const std::size_t units_;
  std::vector<NodeCode> room_;
};

// Whether codes of `rotated` have much smaller errors, relative to what is encoded.
bool IsMuchBetter(const CodeSpace& rotated, const CodeSpace& plain, const VectorView& vectors,
                  const std::vector<std::uint32_t>& slots) {
  CodeList code(plain, 1);
  double plain_errors = 0;
  double rotated_errors = 0;
  for (const std::uint32_t slot : slots) {
    const float* row = vectors.row(slot);
    const double square = SquaredDistance(row, plain.mean().data(), vectors.dim);
    if (!(square > 0 && square <= CodeSpace::kMaxNormSquared)) continue;
    plain.Encode(row, code.at(0));
    plain_errors += double{code.at(0)->residual} * code.at(0)->residual / square;
    rotated.Encode(row, code.at(0));
    rotated_errors += double{code.at(0)->residual} * code.at(0)->residual / square;
  }
  return plain_errors > kRotateFrom * kRotateFrom * rotated_errors;
}

// Some rows with those that are nearest to each, nearest first, by their codes: these distances are the same on every
// machine.
struct Neighbourhoods {
  std::vector<std::uint32_t> queries;
  std::vector<std::vector<ScoredSlot>> nearest;
};

// Rows compared between two times that give_up is asked.
constexpr std::uint32_t kRowsPerLook = 4'096;

// None if it was given up. space: codes of 8 bits.
Neighbourhoods FindNeighbourhoods(const CodeSpace& space, const VectorView& vectors, std::vector<std::uint32_t> queries,
                                  const std::vector<std::uint32_t>& rows, const std::function<bool()>& give_up) {
  CodeList query_codes(space, queries.size());
  CodeList code(space, 1);
  for (std::size_t q = 0; q < queries.size(); ++q) space.Encode(vectors.row(queries[q]), query_codes.at(q));
  std::vector<NearestList> nearest(queries.size(), NearestList(kLookedAt));
  for (const std::uint32_t slot : rows) {
    if (slot % kRowsPerLook == 0 && give_up != nullptr && give_up()) return {};
    NodeCode* const row = code.at(0);
    space.Encode(vectors.row(slot), row);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const NodeCode& query = *query_codes.at(q);
      const float distance = space.Distance(query, *row, space.Dot(query, *row));
      if (slot != queries[q] && nearest[q].MayEnter(distance)) nearest[q].Add({.distance = distance, .slot = slot});
    }
  }
  Neighbourhoods found{.queries = std::move(queries), .nearest = {}};
  for (NearestList& list : nearest) found.nearest.push_back(list.Take());
  return found;
}

// What share each component has in the squared distance between rows and their neighbours.
std::vector<double> SharesOf(const Neighbourhoods& neighbourhoods, const VectorView& vectors) {
  std::vector<double> shares(vectors.dim);
  for (std::size_t q = 0; q < neighbourhoods.queries.size(); ++q) {
    const std::vector<ScoredSlot>& nearest = neighbourhoods.nearest[q];
    for (const ScoredSlot& neighbour : std::span(nearest).first(std::min(kNeighbours, nearest.size()))) {
      AddShares(vectors.row(neighbourhoods.queries[q]), vectors.row(neighbour.slot), &shares);
    }
  }
  return shares;
}

// Whether codes of this space tell which are the nearest, all but a few rows that are then looked at.
bool TellsNeighbours(const CodeSpace& space, const VectorView& vectors, const Neighbourhoods& neighbourhoods) {
  std::vector<NodeCode> query(space.query_bytes() / sizeof(NodeCode));
  CodeList row(space, 1);
  std::size_t asked = 0;
  std::size_t looked_at = 0;
  std::size_t full = 0;
  for (std::size_t q = 0; q < neighbourhoods.queries.size(); ++q) {
    const std::vector<ScoredSlot>& nearest = neighbourhoods.nearest[q];
    if (nearest.size() < kLookedAt) continue;
    const float farthest = nearest[kNeighbours - 1].distance;
    if (!(farthest > 0)) continue;  // rows that are the same have the same codes
    space.EncodeQuery(vectors.row(neighbourhoods.queries[q]), query.data());
    space.Encode(vectors.row(neighbourhoods.queries[q]), row.at(0));
    const CodeSpace::QueryError error = space.ErrorOf(query.front());
    float within = farthest + space.ExcessNear(error, *row.at(0)).At(farthest);
    for (const ScoredSlot& neighbour : std::span(nearest).first(kNeighbours)) {  // and as each may be wrong by itself
      space.Encode(vectors.row(neighbour.slot), row.at(0));
      within = std::max(within, neighbour.distance + space.ExcessOf(error, *row.at(0)).At(neighbour.distance));
    }
    const auto near = static_cast<std::size_t>(
        std::ranges::count_if(nearest, [&](const ScoredSlot& neighbour) { return neighbour.distance <= within; }));
    looked_at += near;
    full += near == kLookedAt ? 1 : 0;
    ++asked;
  }
  return 2 * asked > neighbourhoods.queries.size() && full * kOneInFull <= asked &&
         static_cast<double>(looked_at) <= kMostLookedAt * static_cast<double>(asked);
}

// How many of the last ones in `order` may be left out, if their shares may be so much of all.
std::size_t MayBeLeftOut(const std::vector<std::uint32_t>& order, const std::vector<double>& shares, double most) {
  double left = most * std::accumulate(shares.begin(), shares.end(), 0.0);
  std::size_t size = order.size();
  while (size > 1 && shares[order[size - 1]] <= left) left -= shares[order[--size]];
  return order.size() - size;
}

std::size_t CodeBytes(CodeBits bits, std::size_t components) {
  return bits == CodeBits::kFive ? simd::PackedBytes(RoundUp(components, simd::kPackedUnit)) : components;
}

// Lines of the cache that a code of so many components needs.
std::size_t CodeLines(CodeBits bits, std::size_t components) {
  return RoundUp(sizeof(NodeCode) + CodeBytes(bits, components), kLineBytes) / kLineBytes;
}

// Components that a code has room for in as many lines as `wanted` need.
std::size_t FillLines(CodeBits bits, std::size_t wanted, std::size_t dim) {
  const std::size_t lines = CodeLines(bits, wanted);
  std::size_t size = wanted;
  while (size < dim && CodeLines(bits, size + 1) == lines) ++size;
  return size;
}

// Whether some rows differ from others in hardly anything but what is left out.
bool HasOddRows(const CodeComponents& chosen, const CodeSpace& plain, const VectorView& vectors,
                const std::vector<std::uint32_t>& slots) {
  std::size_t odd = 0;
  for (const std::uint32_t slot : slots) {
    const float* const row = vectors.row(slot);
    const double left_out = chosen.SquareOfOthers(row, plain.mean().data());
    odd += left_out > CodeSpace::kOddShare * SquaredDistance(row, plain.mean().data(), vectors.dim) ? 1 : 0;
  }
  return odd > kOddRows;
}

// Components in the order in which codes need them, and how many of them they cannot do without.
struct NeededComponents {
  std::vector<std::uint32_t> order;
  std::size_t count = 0;
};

// sample: of the rows, as the mean was measured on.
NeededComponents FindNeeded(const CodeSpace& plain, const VectorView& vectors, const std::vector<std::uint32_t>& sample,
                            const Neighbourhoods& neighbourhoods) {
  std::vector<double> shares(vectors.dim);
  for (const std::uint32_t slot : sample) AddShares(vectors.row(slot), plain.mean().data(), &shares);
  NeededComponents needed{.order = std::vector<std::uint32_t>(vectors.dim), .count = vectors.dim};
  std::iota(needed.order.begin(), needed.order.end(), 0U);
  std::ranges::stable_sort(needed.order, [&](std::uint32_t a, std::uint32_t b) { return shares[a] > shares[b]; });
  // What rows as a whole hardly differ in may be all that neighbours differ in.
  const std::vector<double> between_neighbours = SharesOf(neighbourhoods, vectors);
  // Of rows that are all alike nothing can be said.
  if (std::accumulate(between_neighbours.begin(), between_neighbours.end(), 0.0) < kNeighbourQueries) return needed;
  needed.count -= std::min(MayBeLeftOut(needed.order, shares, kShareOfRows),
                           MayBeLeftOut(needed.order, between_neighbours, kShareOfNeighbours));
  return needed;
}

// Those for codes of `bits`, where a line is saved by leaving out the others.
CodeComponents ChooseComponents(CodeBits bits, const NeededComponents& needed, const CodeSpace& plain,
                                const VectorView& vectors, const std::vector<std::uint32_t>& sample) {
  const std::size_t size = FillLines(bits, needed.count, vectors.dim);
  if (size == vectors.dim) return CodeComponents(vectors.dim);
  std::vector<std::uint32_t> held(needed.order.begin(), needed.order.begin() + static_cast<std::ptrdiff_t>(size));
  std::ranges::sort(held);
  CodeComponents chosen(vectors.dim, std::move(held));
  return HasOddRows(chosen, plain, vectors, sample) ? CodeComponents(vectors.dim) : chosen;
}

}  // namespace

CodeSpace MeasureCodeSpace(Metric metric, const VectorView& vectors, std::uint32_t rows, const Use& use,
                           const std::function<bool()>& give_up) {
  std::vector<double> sums(vectors.dim);
  double largest_square = 0;
  const std::vector<std::uint32_t> slots = SampleSlots(rows, kMeanRows, use);
  for (const std::uint32_t slot : slots) {
    const float* row = vectors.row(slot);
    double square = 0;
    for (std::size_t i = 0; i < vectors.dim; ++i) {
      sums[i] += double{row[i]};
      square += double{row[i]} * row[i];
    }
    largest_square = std::max(largest_square, square);
  }
  std::vector<float> mean(vectors.dim);
  double norm = 0;
  for (std::size_t i = 0; i < vectors.dim && !slots.empty(); ++i) {
    mean[i] = static_cast<float>(sums[i] / static_cast<double>(slots.size()));
    norm += double{mean[i]} * mean[i];
  }
  if (!(norm <= CodeSpace::kMaxNormSquared)) mean.assign(vectors.dim, 0.0F);
  const auto largest_norm = static_cast<float>(std::sqrt(std::min(largest_square, double{CodeSpace::kMaxNormSquared})));
  CodeSpace plain(metric, mean, largest_norm);
  // An error e of a row changes its distance from a query q by 2 (x - q).e, little between neighbours, but its inner
  // product by q.e: rotated, the query's large components meet an error in each row, where without a rotation rows that
  // agree in these components agree in their errors too. Measured on such rows, links lost 0.1 to 0.2 of recall; on
  // others nothing was gained. And a component in which rows hardly differ may be one that queries are large in.
  if (metric == Metric::kInnerProduct) return plain;
  CodeSpace rotated(metric, mean, largest_norm, RotationKind::kHadamard);
  if (IsMuchBetter(rotated, plain, vectors, SampleSlots(rows, kComparedRows, use))) return rotated;
  if (slots.size() < kMinRowsToMeasure) return plain;
  const Neighbourhoods neighbourhoods = FindNeighbourhoods(plain, vectors, SampleSlots(rows, kNeighbourQueries, use),
                                                           SampleSlots(rows, kNeighbourRows, use), give_up);
  const NeededComponents needed = FindNeeded(plain, vectors, slots, neighbourhoods);
  const auto with = [&](CodeBits bits) {
    return CodeSpace(metric, mean, largest_norm, ChooseComponents(bits, needed, plain, vectors, slots), {.bits = bits});
  };
  CodeSpace packed = with(CodeBits::kFive);
  CodeSpace bytes = with(CodeBits::kEight);
  const auto lines = [](const CodeSpace& space) { return CodeLines(space.bits(), space.components().size()); };
  return lines(packed) < lines(bytes) && TellsNeighbours(packed, vectors, neighbourhoods) ? packed : bytes;
}

CodeSpace WithAllComponents(const CodeSpace& space) {
  return {space.metric(), {space.mean().begin(), space.mean().end()}, space.LargestNorm()};
}

}  // namespace vdb
