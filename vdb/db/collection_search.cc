// CollectionImpl: search, in batches, explained.

#include <algorithm>
#include <bit>
#include <chrono>
#include <new>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/db/store_payloads.h"
#include "vdb/db/validation.h"
#include "vdb/query/filter_program.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

constexpr std::size_t kDefaultEf = 64;

// Visible slots whose records have a vector; of those in `matches`, unless it is null.
MatchSet VisibleWithVector(const Generation& generation, Clock clock, const Bitset* matches) {
  MatchSet with_vector;
  with_vector.slots = Bitset(clock.committed);
  std::vector<std::uint64_t>& words = with_vector.slots.words();
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = matches != nullptr ? matches->words()[i] : generation.deaths.VisibleWord(i, clock);
    words[i] &= ~generation.fields->without_vector().Word(i);
    if ((i + 1) * 64 > clock.committed) words[i] &= (std::uint64_t{1} << (clock.committed % 64)) - 1;
    with_vector.count += static_cast<std::uint64_t>(std::popcount(words[i]));
  }
  return with_vector;
}

void FillDetails(const ExecutedSearch& executed, SearchResult* result) {
  result->plan = executed.plan.kind;
  result->exact = executed.exact;
  result->complete = executed.complete;
  result->why = executed.plan.why;
  result->details.estimated_exact_ns = executed.plan.exact_ns;
  result->details.estimated_sweep_ns = executed.plan.sweep_ns;
  result->details.estimated_distances = executed.plan.estimated_distances;
  result->details.distances = executed.distances;
  result->details.visited = executed.visited;
  result->details.fell_back = executed.fell_back;
  result->details.stop_factor = executed.exact ? 0 : executed.stop_factor;
  result->details.expected_recall = executed.exact ? 1 : executed.expected_recall;
  result->details.tail_rows = executed.tail_rows;
}

double MicrosSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Result<std::vector<float>> CollectionImpl::PrepareQuery(std::span<const float> vector) const {
  VDB_RETURN_IF_ERROR(ValidateVector(vector, options()));
  if (fixed_options_.metric == Metric::kCosine) return Normalise(vector);
  return std::vector<float>(vector.begin(), vector.end());
}

Status CollectionImpl::FillHits(const SearchRequest& request, const Generation& generation,
                                std::span<const ScoredSlot> scored, std::vector<Hit>* hits) const {
  std::vector<std::string> payloads;
  if (request.with_payload) {
    std::vector<std::uint32_t> slots;
    slots.reserve(scored.size());
    for (const ScoredSlot& found : scored) slots.push_back(found.slot);
    VDB_RETURN_IF_ERROR(database_.store().GetPayloads(generation.key, slots, &payloads));
  }
  hits->reserve(scored.size());
  for (const ScoredSlot& found : scored) {
    Hit& hit = hits->emplace_back();
    hit.id = generation.fields->ids().Get(found.slot);
    hit.distance = found.distance;
    if (request.with_payload) hit.payload = std::move(payloads[hits->size() - 1]);
    if (request.with_vector) VDB_RETURN_IF_ERROR(ReadVector(generation, found.slot, &hit.vector));
  }
  return OkStatus();
}

Result<std::vector<float>> CollectionImpl::ResolveQuery(const SearchRequest& request, Snapshot* snapshot,
                                                        std::optional<std::uint32_t>* own_slot) const {
  if (request.id.empty()) return PrepareQuery(request.vector);
  if (!request.vector.empty()) {
    return InvalidArgumentError("a search has both a vector and an id; wanted one of them");
  }
  VDB_RETURN_IF_ERROR(ValidateId(request.id));
  VDB_ASSIGN_OR_RETURN(*own_slot, FindVisible(request.id, snapshot));
  if (!*own_slot) return NotFoundError(StrCat("no record '", request.id, "' in collection '", name_, "'"));
  std::vector<float> stored;
  VDB_RETURN_IF_ERROR(ReadVector(*snapshot->view->generation, **own_slot, &stored));
  if (!stored.empty()) return PrepareQuery(stored);
  return InvalidArgumentError(StrCat("record '", request.id, "' has no vector; wanted one to search near"));
}

Result<SearchResult> CollectionImpl::Search(const SearchRequest& request, Snapshot snapshot) const {
  const auto start = std::chrono::steady_clock::now();
  VDB_RETURN_IF_ERROR(ValidateRequest(request));
  const Deadline deadline = request.timeout.count() > 0 ? Deadline(request.timeout) : Deadline();
  std::optional<std::uint32_t> own_slot;
  VDB_ASSIGN_OR_RETURN(const std::vector<float> query, ResolveQuery(request, &snapshot, &own_slot));
  const Generation& generation = *snapshot.view->generation;
  SearchResult result;
  if (generation.vectors->dim() == 0) {
    result.exact = result.complete = true;
    result.why = "no record has a vector yet";
    return result;
  }
  if (query.size() != generation.vectors->dim()) {  // the first vector came after the query was looked at
    return InvalidArgumentError(
        StrCat("vector has ", query.size(), " components; this collection stores ", generation.vectors->dim()));
  }
  std::optional<MatchSet> matches;
  if (!request.filter.matches_all()) {
    VDB_ASSIGN_OR_RETURN(const FilterProgram program, CompileFilter(request.filter, request.bind, snapshot));
    StorePayloads payloads(database_.store(), generation.key, deadline);
    VDB_ASSIGN_OR_RETURN(matches, ComputeMatches(program, generation.deaths, snapshot.clock, payloads));
    result.details.rechecked = matches->payloads_read;
    result.details.filter_us = MicrosSince(start);
  }
  std::optional<MatchSet> with_vector;
  if (generation.fields->without_vector().count() > 0) {
    with_vector = VisibleWithVector(generation, snapshot.clock, matches ? &matches->slots : nullptr);
  }
  SearchTarget target{.vectors = generation.vectors->view(),
                      .metric = fixed_options_.metric,
                      .deaths = &generation.deaths,
                      .clock = snapshot.clock,
                      .live_rows = generation.live.load(std::memory_order_relaxed),
                      .graph = generation.graph.get(),
                      .verified = !generation.verifying.load(std::memory_order_acquire)};
  const std::size_t k = request.k + (own_slot ? 1 : 0);  // the record itself is found, too, and left out
  const SearchParameters parameters{.query = query.data(),
                                    .k = k,
                                    .ef = request.ef != 0 ? request.ef : std::max(kDefaultEf, k),
                                    .min_recall = request.min_recall,
                                    .exact = request.exact || request.radius,
                                    .radius = request.radius,
                                    .deadline = deadline,
                                    .matches = matches ? &*matches : nullptr,
                                    .with_vector = with_vector ? &*with_vector : nullptr};
  const auto search_start = std::chrono::steady_clock::now();
  ExecutedSearch executed = ExecuteSearch(target, parameters);
  if (executed.timed_out) return deadline.Check();
  result.details.search_us = MicrosSince(search_start);
  if (own_slot) std::erase_if(executed.hits, [&](const ScoredSlot& hit) { return hit.slot == *own_slot; });
  if (executed.hits.size() > request.k) executed.hits.resize(request.k);
  SyncPoints::Reached("search.before_payloads");
  VDB_RETURN_IF_ERROR(FillHits(request, generation, executed.hits, &result.hits));
  FillDetails(executed, &result);
  if (request.radius) result.why = "a radius was asked for: every matching record is scored";
  if (!target.verified) result.why += "; the published files are still being verified";
  result.details.live_rows = target.live_rows;
  result.details.matches = matches ? matches->count : target.live_rows;
  result.details.total_us = MicrosSince(start);
  return result;
}

Result<std::vector<SearchResult>> CollectionImpl::SearchBatch(std::span<const SearchRequest> requests) const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  const Snapshot snapshot = TakeSnapshot();
  std::vector<Result<SearchResult>> found(requests.size(), InternalError("not run"));
  database_.pool().ParallelFor(requests.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      try {
        found[i] = Search(requests[i], snapshot);
      } catch (const std::bad_alloc&) {
        found[i] = ResourceExhaustedError("out of memory during a search");
      }
    }
  });
  std::vector<SearchResult> results;
  results.reserve(requests.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i].ok()) {
      return found[i].status().WithMessage(StrCat("search ", i, " of the batch: ", found[i].status().message()));
    }
    results.push_back(*std::move(found[i]));
  }
  return results;
}

Result<Explanation> CollectionImpl::Explain(const SearchRequest& request) const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  const Snapshot snapshot = TakeSnapshot();
  Explanation explanation;
  VDB_ASSIGN_OR_RETURN(const FilterProgram program, CompileFilter(request.filter, request.bind, snapshot));
  if (!request.filter.matches_all()) explanation.filter = FilterText(program.filter());
  for (const std::string& path : program.payload_paths()) {
    explanation.notes.push_back(
        StrCat("'", path, "' is not wholly in columns: some rows are read from their payloads"));
  }
  VDB_ASSIGN_OR_RETURN(const SearchResult result, Search(request, snapshot));
  explanation.plan = result.plan;
  explanation.why = result.why;
  explanation.exact = result.exact;
  explanation.complete = result.complete;
  explanation.hits = result.hits.size();
  explanation.details = result.details;
  return explanation;
}

}  // namespace vdb
