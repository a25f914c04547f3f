// What a search asks and answers.
//
// Thread safety: values. A SearchRequest's views must stay valid during the call.
#ifndef VDB_SEARCH_H_
#define VDB_SEARCH_H_

#include <vdb/filter.h>
#include <vdb/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vdb {

// How a search was answered.
enum class PlanKind : std::uint8_t {
  kExact,  // P0: every matching record was scored; recall 1
  kSweep,  // P1: the graph was walked by distance, matching records became results
};

constexpr std::string_view PlanName(PlanKind plan) {
  return plan == PlanKind::kExact ? "P0 exact" : "P1 sweep";
}
inline std::ostream& operator<<(std::ostream& out, PlanKind plan) {
  return out << PlanName(plan);
}

struct SearchRequest {
  // The query: the collection's dimension, finite; not all zero under cosine. Leave empty to search by `id`.
  std::span<const float> vector = {};
  // Search near the record of this id; that record itself is not among the hits.
  std::string_view id = {};
  // Hits wanted, [1, kMaxK].
  std::size_t k = 10;
  // Which records may be hits; the default matches every record. See <vdb/filter.h>.
  Filter filter = {};
  // Values of $1, $2, … in the filter's text.
  std::vector<Value> bind = {};
  // Candidates kept on the walk (paper: ef), [k, kMaxEf]; more is slower and finds more. 0: max(64, k).
  std::size_t ef = 0;
  // Share of the true k nearest that is wanted, on average over queries like the stored vectors: the walk then ends by
  // a rule measured on this collection's own vectors, not by ef. Range (0, 1); 0: by ef. Not together with ef.
  float min_recall = 0;
  // Score every matching record: recall 1.
  bool exact = false;
  // Only hits at most this far away, by the collection's metric; every matching record is scored. Up to k of them.
  std::optional<float> radius = {};
  // Give up after this long, with DeadlineExceeded; 0: never.
  std::chrono::microseconds timeout{0};
  // What hits carry besides id and distance.
  bool with_payload = true;
  bool with_vector = false;
};

struct Hit {
  std::string id;
  float distance = 0;  // by the collection's metric, computed from the stored float32 vector
  std::string payload;
  std::vector<float> vector;
};

// What was expected before and what happened; costs in nanoseconds.
struct PlanDetails {
  std::uint64_t live_rows = 0;    // records; beside writers as of a commit around the one that this search sees
  std::uint64_t matches = 0;      // records that match the filter: an exact count; live_rows without a filter
  std::uint64_t rechecked = 0;    // payloads that had to be read to decide the filter
  std::uint64_t tail_rows = 0;    // records not in the graph yet, scored one by one
  double estimated_exact_ns = 0;  // cost of P0 by the planner's model
  double estimated_sweep_ns = 0;  // cost of P1 by the planner's model; 0 where there is no graph
  std::uint64_t estimated_distances = 0;
  std::uint64_t distances = 0;  // distances computed
  std::uint64_t visited = 0;    // graph nodes expanded
  bool fell_back = false;       // P1 was given up for P0
  double stop_factor = 0;       // walked while distances were below this many times the k-th nearest; 0: by ef
  double expected_recall = 0;   // measured on the collection's own vectors for that; 1 where exact, 0: not known
  double filter_us = 0;         // compiling and evaluating the filter
  double search_us = 0;         // scoring and walking
  double total_us = 0;          // the whole call, payloads included
};

struct SearchResult {
  std::vector<Hit> hits;  // nearest first; ties in the order of writing
  PlanKind plan = PlanKind::kExact;
  // Proven to be the k nearest of the matching records.
  bool exact = false;
  // min(k, matches) hits are there; of the matches within the radius, where one was asked for.
  bool complete = false;
  // Why this plan, and why not exact or not complete where that is so.
  std::string why;
  PlanDetails details;
};

// The plan of a search, with estimates beside what happened; ToText is for people.
struct Explanation {
  std::string filter;  // the parsed filter, written out; empty if none
  PlanKind plan = PlanKind::kExact;
  std::string why;  // the reason for the choice, in words
  bool exact = false;
  bool complete = false;
  std::size_t hits = 0;
  std::vector<std::string> notes;  // e.g. paths without a column
  PlanDetails details;

  std::string ToText() const;
};

struct ScanRequest {
  Filter filter = {};
  std::vector<Value> bind = {};
  // Only ids that begin with these bytes.
  std::string_view id_prefix = {};
  bool with_payload = true;
  bool with_vector = false;
};

}  // namespace vdb

#endif  // VDB_SEARCH_H_
