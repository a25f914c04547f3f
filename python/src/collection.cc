#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <chrono>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "python/src/handles.h"
#include "python/src/payload_encoder.h"
#include "python/src/results.h"
#include "python/src/rows.h"
#include "python/src/values.h"
#include "vdb/util/str_cat.h"

namespace vdb::python {
namespace nb = nanobind;
namespace {

WriteOptions Options(bool sync) {
  return {.durability = sync ? Durability::kSync : Durability::kOsBuffered};
}

std::vector<std::string_view> IdViews(const StrTuple& ids) {
  std::vector<std::string_view> views;
  views.reserve(ids.size());
  for (const nb::handle id : ids) views.push_back(Utf8(id, StrCat("id ", views.size())));
  return views;
}

// Writes one block of rows from `begin`, all or nothing; returns the row after it.
// 7 parameters: as Python gives them.
std::size_t Upsert(Collection& collection, StrTuple ids, std::optional<InputArray> vectors,
                   std::optional<AnyTuple> payloads, std::size_t begin, std::size_t rows, bool sync) {
  const RowSource source(std::move(ids), std::move(vectors), std::move(payloads));
  RowBlock block;
  const std::size_t end = block.Fill(source, begin, rows);
  WithoutGil([&] { return collection.Upsert(block.records(), Options(sync)); });
  return end;
}

// In eight sums, so that the compiler may use vector registers.
double SumOfSquares(std::span<const float> vector) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sums{};
  std::size_t j = 0;
  for (; j + kLanes <= vector.size(); j += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double component = vector[j + lane];
      sums[lane] += component * component;
    }
  }
  for (; j < vector.size(); ++j) sums[0] += static_cast<double>(vector[j]) * vector[j];
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

// What the core will say of a vector, with its row.
void CheckVector(std::span<const float> vector, const CollectionOptions& options, std::size_t row) {
  if (options.dim != 0 && vector.size() != options.dim) {
    ThrowInvalid(StrCat("vectors have ", vector.size(), " components; this collection stores ", options.dim));
  }
  if (vector.empty() || vector.size() > kMaxDim) {
    ThrowInvalid(StrCat("vectors have ", vector.size(), " components; wanted 1 to ", kMaxDim));
  }
  // A square of a float never overflows a double: the sum is finite if and only if every component is.
  const double sum = SumOfSquares(vector);
  for (std::size_t j = 0; !std::isfinite(sum) && j < vector.size(); ++j) {
    if (!std::isfinite(vector[j])) {
      ThrowInvalid(StrCat("row ", row, ": vector component ", j, " is ", std::isnan(vector[j]) ? "NaN" : "infinite",
                          "; wanted a finite number"));
    }
  }
  if (options.metric == Metric::kCosine && sum == 0) {
    ThrowInvalid(StrCat("row ", row, ": the vector is all zeros, which has no direction under cosine"));
  }
}

// Throws for the first row that a write would refuse, so that writing in several blocks does not stop half-way.
void CheckRows(const Collection& collection, StrTuple ids, std::optional<InputArray> vectors,
               std::optional<AnyTuple> payloads) {
  const RowSource source(std::move(ids), std::move(vectors), std::move(payloads));
  RowBlock block;
  for (std::size_t row = 0; row < source.ids.size();) {
    const std::size_t end = block.Fill(source, row, 1'000);
    for (const RecordView& record : block.records()) {
      if (record.id.empty() || record.id.size() > kMaxIdBytes) {
        ThrowInvalid(StrCat("row ", row, ": the id has ", record.id.size(), " bytes; wanted 1 to ", kMaxIdBytes));
      }
      if (record.payload.size() > kMaxPayloadBytes) {
        ThrowInvalid(StrCat("row ", row, ": the payload has ", record.payload.size(), " bytes; wanted at most ",
                            kMaxPayloadBytes));
      }
      if (!record.without_vector) CheckVector(record.vector, collection.options(), row);
      ++row;
    }
    row = end;
  }
}

std::uint64_t Delete(Collection& collection, const StrTuple& ids, bool sync) {
  const std::vector<std::string_view> views = IdViews(ids);
  return WithoutGil([&] { return collection.Delete(views, Options(sync)); });
}

std::uint64_t DeleteWhere(Collection& collection, const std::string& filter, const AnyTuple& bind, bool sync) {
  const std::vector<Value> values = ToValues(bind);
  return WithoutGil([&] { return collection.DeleteWhere(filter, values, Options(sync)); });
}

UpdateOptions OptionsOfUpdate(bool merge, bool sync) {
  return {.mode = merge ? UpdateMode::kMerge : UpdateMode::kReplace, .durability = Options(sync).durability};
}

// payloads: one for each id, or one for all.
std::uint64_t Update(Collection& collection, const StrTuple& ids, const AnyTuple& payloads, bool merge, bool sync) {
  if (payloads.size() != 1 && payloads.size() != ids.size()) {
    ThrowInvalid(StrCat(ids.size(), " ids and ", payloads.size(), " payloads; wanted as many of both, or one for all"));
  }
  std::string text;
  PayloadEncoder encoder(&text);
  std::vector<std::size_t> ends;
  ends.reserve(payloads.size());
  for (const nb::handle payload : payloads) {
    encoder.Append(payload, ends.size());
    ends.push_back(text.size());
  }
  std::vector<PayloadUpdate> updates;
  updates.reserve(ids.size());
  for (const std::string_view id : IdViews(ids)) {
    const std::size_t i = payloads.size() == 1 ? 0 : updates.size();
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    updates.push_back({.id = id, .payload = std::string_view(text).substr(begin, ends[i] - begin)});
  }
  return WithoutGil([&] { return collection.Update(updates, OptionsOfUpdate(merge, sync)); });
}

// 6 parameters: as Python gives them.
std::uint64_t UpdateWhere(Collection& collection, const std::string& filter, const AnyTuple& bind, nb::handle payload,
                          bool merge, bool sync) {
  const std::vector<Value> values = ToValues(bind);
  std::string text;
  PayloadEncoder(&text).Append(payload, 0);
  return WithoutGil([&] { return collection.UpdateWhere(filter, text, values, OptionsOfUpdate(merge, sync)); });
}

// One entry per id: its place in the records, or -1 where there is none.
nb::tuple Get(const Collection& collection, const StrTuple& ids, bool vectors) {
  const std::vector<std::string_view> views = IdViews(ids);
  std::vector<int> places;
  places.reserve(views.size());
  Records found = WithoutGil([&]() -> Result<Records> {
    Records records;
    for (const std::string_view id : views) {
      Result<Record> record = collection.Get(id, vectors);
      if (!record.ok() && record.status().code() != StatusCode::kNotFound) return record.status();
      places.push_back(record.ok() ? static_cast<int>(records.records.size()) : -1);
      if (record.ok()) records.records.push_back(*std::move(record));
    }
    return records;
  });
  return nb::make_tuple(std::move(found), std::move(places));
}

// What a search asks beside its query. Its request borrows nothing from Python.
struct SearchOptions {
  SearchRequest request;
};

// 10 parameters: as Python gives them.
void InitSearchOptions(SearchOptions* self, std::size_t k, const std::string& filter, const AnyTuple& bind,
                       std::size_t ef, float min_recall, bool exact, std::optional<float> radius,
                       std::int64_t timeout_us, bool fields, bool vectors) {
  SearchRequest request;
  request.k = k;
  if (!filter.empty()) request.filter = filter;
  request.bind = ToValues(bind);
  request.ef = ef;
  request.min_recall = min_recall;
  request.exact = exact;
  request.radius = radius;
  request.timeout = std::chrono::microseconds(timeout_us);
  request.with_payload = fields;
  request.with_vector = vectors;
  new (self) SearchOptions{std::move(request)};
}

// The vector of a query, which an id may stand for.
using Query = std::optional<InputArray>;

template <typename Call>
auto WithQuery(Query query, const std::optional<std::string>& id, SearchRequest request, Call&& call) {
  if (id) {
    if (id->empty()) ThrowInvalid("the id of a query is empty");
    request.id = *id;
    return WithoutGil([&] { return call(request); });
  }
  const VectorRows rows(*std::move(query));
  if (rows.rows() != 1) ThrowInvalid(StrCat("a query of ", rows.rows(), " vectors; wanted one, or search_batch"));
  std::vector<float> scratch(rows.in_place() ? 0 : rows.dim());
  request.vector = rows.Row(0, scratch.data());
  if (request.vector.empty()) ThrowInvalid("the query has no components");
  return WithoutGil([&] { return call(request); });
}

SearchResult Search(const Collection& collection, Query query, const std::optional<std::string>& id,
                    const SearchOptions& options) {
  return WithQuery(std::move(query), id, options.request,
                   [&](const SearchRequest& request) { return collection.Search(request); });
}

Explanation Explain(const Collection& collection, Query query, const std::optional<std::string>& id,
                    const SearchOptions& options) {
  return WithQuery(std::move(query), id, options.request,
                   [&](const SearchRequest& request) { return collection.Explain(request); });
}

std::vector<SearchResult> SearchBatch(const Collection& collection, InputArray queries, const SearchOptions& options) {
  const VectorRows rows(std::move(queries));
  std::vector<float> scratch(rows.in_place() ? 0 : rows.rows() * rows.dim());
  std::vector<SearchRequest> requests(rows.rows(), options.request);
  for (std::size_t i = 0; i < rows.rows(); ++i) requests[i].vector = rows.Row(i, scratch.data() + i * rows.dim());
  return WithoutGil([&] { return collection.SearchBatch(requests); });
}

std::uint64_t Count(const Collection& collection, const std::string& filter, const AnyTuple& bind) {
  const std::vector<Value> values = ToValues(bind);
  return WithoutGil([&] { return collection.Count(filter.empty() ? Filter() : Filter(filter), values); });
}

// 5 parameters: as Python gives them.
FacetResult Facets(const Collection& collection, const std::string& path, const std::string& filter,
                   const AnyTuple& bind, std::size_t limit) {
  FacetRequest request;
  request.path = path;
  if (!filter.empty()) request.filter = filter;
  request.bind = ToValues(bind);
  request.limit = limit;
  return WithoutGil([&] { return collection.Facets(request); });
}

RecordScanner Scan(const Collection& collection, const std::string& filter, const AnyTuple& bind, bool fields,
                   bool vectors) {
  ScanRequest request;
  if (!filter.empty()) request.filter = filter;
  request.bind = ToValues(bind);
  request.with_payload = fields;
  request.with_vector = vectors;
  return RecordScanner(WithoutGil([&] { return collection.Scan(request); }));
}

void BindStats(nb::module_& module) {
  nb::class_<CollectionStats>(module, "CollectionStats", "Sizes and state of a collection.")
      .def_ro("name", &CollectionStats::name)
      .def_prop_ro("dim", [](const CollectionStats& s) { return s.options.dim; })
      .def_prop_ro("metric", [](const CollectionStats& s) { return std::string(MetricName(s.options.metric)); })
      .def_ro("records", &CollectionStats::records)
      .def_ro("slots", &CollectionStats::slots)
      .def_ro("linked", &CollectionStats::linked)
      .def_ro("published", &CollectionStats::published)
      .def_ro("generation", &CollectionStats::generation)
      .def_ro("verifying", &CollectionStats::verifying)
      .def_ro("damage", &CollectionStats::damage)
      .def_ro("publish_error", &CollectionStats::publish_error)
      .def_ro("publish_failures", &CollectionStats::publish_failures)
      .def_ro("publishes", &CollectionStats::publishes)
      .def_ro("linked_batches", &CollectionStats::linked_batches)
      .def_ro("oldest_view_seconds", &CollectionStats::oldest_view_seconds)
      .def_ro("purged", &CollectionStats::purged)
      .def_ro("anonymous_bytes", &CollectionStats::anonymous_bytes)
      .def_ro("mapped_bytes", &CollectionStats::mapped_bytes)
      .def_ro("paths", &CollectionStats::paths)
      .def_ro("unindexed_rows", &CollectionStats::unindexed_rows);
}

}  // namespace

void BindCollection(nb::module_& module) {
  BindStats(module);
  nb::class_<SearchOptions>(module, "SearchOptions", "What a search asks beside its query.")
      .def("__init__", &InitSearchOptions, nb::arg("k"), nb::arg("filter"), nb::arg("bind"), nb::arg("ef"),
           nb::arg("min_recall"), nb::arg("exact"), nb::arg("radius").none(), nb::arg("timeout_us"), nb::arg("fields"),
           nb::arg("vectors"));
  nb::class_<Collection>(module, "Collection")
      .def_prop_ro("name", &Collection::name)
      .def_prop_ro("dim", [](const Collection& c) { return c.options().dim; })
      .def_prop_ro("metric", [](const Collection& c) { return std::string(MetricName(c.options().metric)); })
      .def_prop_ro("m", [](const Collection& c) { return c.options().m; })
      .def_prop_ro("ef_construction", [](const Collection& c) { return c.options().ef_construction; })
      .def_prop_ro("codes", [](const Collection& c) { return std::string(CodeKindName(c.options().codes)); })
      .def("upsert", &Upsert, nb::arg("ids"), nb::arg("vectors").none(), nb::arg("payloads").none(), nb::arg("begin"),
           nb::arg("rows"), nb::arg("sync"))
      .def("check_rows", &CheckRows, nb::arg("ids"), nb::arg("vectors").none(), nb::arg("payloads").none())
      .def("delete", &Delete, nb::arg("ids"), nb::arg("sync"))
      .def("delete_where", &DeleteWhere, nb::arg("filter"), nb::arg("bind"), nb::arg("sync"))
      .def("update", &Update, nb::arg("ids"), nb::arg("payloads"), nb::arg("merge"), nb::arg("sync"),
           "payloads: one for each id, or one for all.")
      .def("update_where", &UpdateWhere, nb::arg("filter"), nb::arg("bind"), nb::arg("payload"), nb::arg("merge"),
           nb::arg("sync"),
           nb::sig("def update_where(self, filter: str, bind: tuple[Any, ...], payload: Any, merge: bool, sync: bool) "
                   "-> int"))
      .def("document", [](const Collection& c) { return WithoutGil([&] { return c.GetDocument(); }); })
      .def(
          "set_document",
          [](Collection& c, const std::string& json) { WithoutGil([&] { return c.SetDocument(json); }); },
          nb::arg("json"))
      .def("get", &Get, nb::arg("ids"), nb::arg("vectors"),
           nb::sig("def get(self, ids: tuple[str, ...], vectors: bool) -> tuple[Records, list[int]]"))
      .def("search", &Search, nb::arg("query").none(), nb::arg("id").none(), nb::arg("options"))
      .def("search_batch", &SearchBatch, nb::arg("queries"), nb::arg("options"))
      .def("explain", &Explain, nb::arg("query").none(), nb::arg("id").none(), nb::arg("options"))
      .def("count", &Count, nb::arg("filter"), nb::arg("bind"))
      .def("facets", &Facets, nb::arg("path"), nb::arg("filter"), nb::arg("bind"), nb::arg("limit"))
      .def("scan", &Scan, nb::arg("filter"), nb::arg("bind"), nb::arg("fields"), nb::arg("vectors"))
      .def("compact", [](Collection& c) { WithoutGil([&] { return c.Compact(); }); })
      .def("publish", [](Collection& c) { WithoutGil([&] { return c.Publish(); }); })
      .def("wait_for_index", [](Collection& c) { WithoutGil([&] { return c.WaitForIndex(); }); })
      .def("verify", [](const Collection& c) { WithoutGil([&] { return c.Verify(); }); })
      .def("stats", [](const Collection& c) { return WithoutGil([&] { return c.Stats(); }); });
}

}  // namespace vdb::python
