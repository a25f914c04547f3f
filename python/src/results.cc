#include "python/src/results.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>

#include "python/src/handles.h"
#include "python/src/values.h"
#include "python/src/vectors.h"
#include "vdb/util/status_macros.h"

namespace vdb::python {
namespace nb = nanobind;
namespace {

nb::str Text(const std::string& text) {
  return nb::str(text.data(), text.size());
}

// at(rows, i) with Python's IndexError for what is beyond.
template <typename T>
const T& At(const std::vector<T>& rows, std::size_t i) {
  if (i >= rows.size()) throw nb::index_error("out of range");
  return rows[i];
}

template <typename T>
nb::list Ids(const std::vector<T>& rows) {
  nb::list ids;
  for (const T& row : rows) ids.append(Text(row.id));
  return ids;
}

// rows * dim, row-major; 0 columns where vectors were not asked for.
OutputArray2 Vectors(const SearchResult& result) {
  const std::size_t dim = result.hits.empty() ? 0 : result.hits.front().vector.size();
  std::vector<float> all;
  all.reserve(result.hits.size() * dim);
  for (const Hit& hit : result.hits) all.insert(all.end(), hit.vector.begin(), hit.vector.end());
  return ToArray(std::move(all), result.hits.size(), dim);
}

OutputArray1 Distances(const SearchResult& result) {
  std::vector<float> distances;
  distances.reserve(result.hits.size());
  for (const Hit& hit : result.hits) distances.push_back(hit.distance);
  return ToArray(std::move(distances));
}

// The functions that rows of both kinds share.
template <typename Class, typename GetRows>
void DefineRows(Class& bound, GetRows get) {
  using Owner = typename Class::Type;
  bound.def("__len__", [get](const Owner& owner) { return get(owner).size(); })
      .def(
          "id", [get](const Owner& owner, std::size_t i) { return Text(At(get(owner), i).id); }, nb::arg("i"))
      .def(
          "payload", [get](const Owner& owner, std::size_t i) { return Text(At(get(owner), i).payload); }, nb::arg("i"),
          "JSON text; empty where payloads were not asked for.")
      .def(
          "vector", [get](const Owner& owner, std::size_t i) { return ToArray(At(get(owner), i).vector); },
          nb::arg("i"), "Empty where vectors were not asked for, and for a record without one.")
      .def(
          "ids", [get](const Owner& owner) { return Ids(get(owner)); }, nb::sig("def ids(self) -> list[str]"));
}

void BindDetails(nb::module_& module) {
  nb::class_<PlanDetails>(module, "PlanDetails", "What a search expected and what it did; costs in nanoseconds.")
      .def_ro("live_rows", &PlanDetails::live_rows)
      .def_ro("matches", &PlanDetails::matches)
      .def_ro("rechecked", &PlanDetails::rechecked)
      .def_ro("tail_rows", &PlanDetails::tail_rows)
      .def_ro("estimated_exact_ns", &PlanDetails::estimated_exact_ns)
      .def_ro("estimated_sweep_ns", &PlanDetails::estimated_sweep_ns)
      .def_ro("estimated_distances", &PlanDetails::estimated_distances)
      .def_ro("distances", &PlanDetails::distances)
      .def_ro("visited", &PlanDetails::visited)
      .def_ro("fell_back", &PlanDetails::fell_back)
      .def_ro("stop_factor", &PlanDetails::stop_factor)
      .def_ro("expected_recall", &PlanDetails::expected_recall)
      .def_ro("filter_us", &PlanDetails::filter_us)
      .def_ro("search_us", &PlanDetails::search_us)
      .def_ro("total_us", &PlanDetails::total_us);
  nb::class_<Explanation>(module, "Explanation", "How a search was answered; print it.")
      .def_ro("filter", &Explanation::filter)
      .def_prop_ro("plan", [](const Explanation& e) { return std::string(PlanName(e.plan)); })
      .def_ro("why", &Explanation::why)
      .def_ro("exact", &Explanation::exact)
      .def_ro("complete", &Explanation::complete)
      .def_ro("hits", &Explanation::hits)
      .def_ro("notes", &Explanation::notes)
      .def_ro("details", &Explanation::details)
      .def("__str__", [](const Explanation& e) { return e.ToText(); })
      .def("__repr__", [](const Explanation& e) { return e.ToText(); });
}

void BindFacets(nb::module_& module) {
  nb::class_<FacetResult>(module, "FacetResult", "The values of one path among the records that match.")
      .def_prop_ro(
          "values",
          [](const FacetResult& r) {
            nb::list values;
            for (const FacetValue& facet : r.values) values.append(nb::make_tuple(FromValue(facet.value), facet.count));
            return values;
          },
          nb::for_getter(nb::sig("def values(self) -> list[tuple[bool | int | float | str, int]]")))
      .def_prop_ro(
          "min", [](const FacetResult& r) { return FromValue(r.min); },
          nb::for_getter(nb::sig("def min(self) -> bool | int | float | str | None")))
      .def_prop_ro(
          "max", [](const FacetResult& r) { return FromValue(r.max); },
          nb::for_getter(nb::sig("def max(self) -> bool | int | float | str | None")))
      .def_ro("distinct", &FacetResult::distinct)
      .def_ro("records", &FacetResult::records)
      .def_ro("missing", &FacetResult::missing)
      .def_ro("payloads_read", &FacetResult::payloads_read);
}

}  // namespace

Records RecordScanner::Next(std::size_t rows) {
  return WithoutGil([&]() -> Result<Records> {
    Records block;
    while (block.records.size() < rows) {
      Result<std::optional<Record>> next = scanner_.Next();
      if (!next.ok()) return next.status();
      if (!next->has_value()) break;
      block.records.push_back(**std::move(next));
    }
    return block;
  });
}

void BindResults(nb::module_& module) {
  BindDetails(module);
  BindFacets(module);
  nb::class_<SearchResult> result(module, "SearchResult", "Hits, nearest first.");
  DefineRows(result, [](const SearchResult& r) -> const std::vector<Hit>& { return r.hits; });
  result
      .def(
          "distance", [](const SearchResult& r, std::size_t i) { return At(r.hits, i).distance; }, nb::arg("i"))
      .def("distances", &Distances)
      .def("vectors", &Vectors, "Hits x dim.")
      .def_prop_ro("plan", [](const SearchResult& r) { return std::string(PlanName(r.plan)); })
      .def_ro("exact", &SearchResult::exact)
      .def_ro("complete", &SearchResult::complete)
      .def_ro("why", &SearchResult::why)
      .def_ro("details", &SearchResult::details);

  nb::class_<Records> records(module, "Records", "Records as read.");
  DefineRows(records, [](const Records& r) -> const std::vector<Record>& { return r.records; });

  nb::class_<RecordScanner>(module, "Scanner", "Walks over one state of a collection.")
      .def("next", &RecordScanner::Next, nb::arg("rows"));
}

}  // namespace vdb::python
