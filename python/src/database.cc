#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "python/src/handles.h"
#include "python/src/rows.h"
#include "python/src/values.h"
#include "vdb/util/str_cat.h"

namespace vdb::python {
namespace nb = nanobind;
namespace {

Metric ParseMetric(const std::string& name) {
  if (const std::optional<Metric> metric = MetricNamed(name)) return *metric;
  ThrowInvalid(StrCat("metric '", name, "'; wanted cosine, l2 or ip"));
}

// 6 parameters: as Python gives them.
Database Open(const std::string& path, bool create, bool read_only, std::size_t threads, std::size_t memtable_bytes,
              bool accept_data_loss) {
  return WithoutGil([&] {
    return Database::Open(path, {.create_if_missing = create,
                                 .threads = threads,
                                 .memtable_bytes = memtable_bytes,
                                 .read_only = read_only,
                                 .accept_data_loss = accept_data_loss});
  });
}

CodeKind ParseCodes(const std::string& name) {
  if (const std::optional<CodeKind> codes = CodeKindNamed(name)) return *codes;
  ThrowInvalid(StrCat("codes '", name, "'; wanted auto, int8 or float32"));
}

// 7 parameters: as Python gives them.
Collection CreateCollection(Database& database, const std::string& name, std::size_t dim, const std::string& metric,
                            std::uint32_t m, std::uint32_t ef_construction, const std::string& codes) {
  const CollectionOptions options = {.dim = dim,
                                     .metric = ParseMetric(metric),
                                     .m = m,
                                     .ef_construction = ef_construction,
                                     .codes = ParseCodes(codes)};
  return WithoutGil([&] { return database.CreateCollection(name, options); });
}

// 5 parameters: as Python gives them.
void BatchUpsert(WriteBatch& batch, const Collection& collection, StrTuple ids, std::optional<InputArray> vectors,
                 std::optional<AnyTuple> payloads) {
  const RowSource source(std::move(ids), std::move(vectors), std::move(payloads));
  RowBlock block;
  for (std::size_t row = 0; row < source.ids.size();) {
    row = block.Fill(source, row, source.ids.size());
    for (const RecordView& record : block.records()) batch.Upsert(collection, record);
  }
}

void BatchDelete(WriteBatch& batch, const Collection& collection, const StrTuple& ids) {
  for (const nb::handle id : ids) batch.Delete(collection, Utf8(id, "an id"));
}

void Write(Database& database, const WriteBatch& batch, bool sync) {
  WithoutGil([&] { return database.Write(batch, {.durability = sync ? Durability::kSync : Durability::kOsBuffered}); });
}

// Number, microseconds since 1970, level and text of each.
nb::list DrainEvents(Database& database) {
  const std::vector<Event> events = WithoutGil([&] { return database.DrainEvents(); });
  nb::list listed;
  for (const Event& event : events) {
    const auto since = std::chrono::duration_cast<std::chrono::microseconds>(event.time.time_since_epoch());
    const std::string_view level = EventLevelName(event.level);
    listed.append(nb::make_tuple(event.number, since.count(), nb::str(level.data(), level.size()),
                                 nb::str(event.text.data(), event.text.size())));
  }
  return listed;
}

}  // namespace

void BindDatabase(nb::module_& module) {
  nb::class_<WriteBatch>(module, "WriteBatch")
      .def(nb::init<>())
      .def("__len__", &WriteBatch::size)
      .def("clear", &WriteBatch::Clear)
      .def("upsert", &BatchUpsert, nb::arg("collection"), nb::arg("ids"), nb::arg("vectors").none(),
           nb::arg("payloads").none())
      .def("delete", &BatchDelete, nb::arg("collection"), nb::arg("ids"));
  nb::class_<DatabaseStats>(module, "DatabaseStats", "Counters of a database.")
      .def_ro("commit_seq", &DatabaseStats::commit_seq)
      .def_ro("commit_groups", &DatabaseStats::commit_groups)
      .def_ro("commit_requests", &DatabaseStats::commit_requests)
      .def_ro("flushes", &DatabaseStats::flushes)
      .def_ro("loaded_collections", &DatabaseStats::loaded_collections);
  nb::class_<Database>(module, "Database")
      .def_static("open", &Open, nb::arg("path"), nb::arg("create"), nb::arg("read_only"), nb::arg("threads"),
                  nb::arg("memtable_bytes"), nb::arg("accept_data_loss"))
      .def_prop_ro("path", &Database::path)
      .def("create_collection", &CreateCollection, nb::arg("name"), nb::arg("dim"), nb::arg("metric"), nb::arg("m"),
           nb::arg("ef_construction"), nb::arg("codes"))
      .def(
          "open_collection",
          [](Database& d, const std::string& name) { return WithoutGil([&] { return d.OpenCollection(name); }); },
          nb::arg("name"))
      .def(
          "drop_collection",
          [](Database& d, const std::string& name) { WithoutGil([&] { return d.DropCollection(name); }); },
          nb::arg("name"))
      .def("collections", [](const Database& d) { return WithoutGil([&] { return d.ListCollections(); }); })
      .def("write", &Write, nb::arg("batch"), nb::arg("sync"))
      .def(
          "checkpoint",
          [](Database& d, const std::string& folder) { WithoutGil([&] { return d.Checkpoint(folder); }); },
          nb::arg("folder"))
      .def("drain_events", &DrainEvents, nb::sig("def drain_events(self) -> list[tuple[int, int, str, str]]"),
           "Number, microseconds since 1970, level and text of each.")
      .def("stats", [](const Database& d) { return WithoutGil([&] { return d.Stats(); }); })
      .def("close", [](Database& d) { WithoutGil([&] { return d.Close(); }); });
}

}  // namespace vdb::python
