#include "tools/vdb_load/loader.h"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "tools/lib/json_text.h"
#include "tools/lib/line_reader.h"
#include "tools/lib/vector_reader.h"
#include "tools/vdb_load/progress.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

constexpr std::size_t kBatchRows = 500;
constexpr std::size_t kBatchBytes = std::size_t{16} << 20;
constexpr std::size_t kReportedRows = 5;

struct Row {
  std::string id;
  std::vector<float> vector;
  std::string payload;
};

// Vectors and payloads side by side.
class RowSource {
 public:
  static Result<std::unique_ptr<RowSource>> Open(const LoadJob& job) {
    auto source = std::make_unique<RowSource>();
    source->id_field_ = job.id_field;
    source->limit_ = job.limit;
    VDB_ASSIGN_OR_RETURN(source->vectors_, VectorReader::Open(job.vectors, job.vector_field));
    if (!job.payloads.empty()) {
      VDB_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(job.payloads));
      source->payloads_.emplace(std::move(lines));
    }
    return source;
  }

  // The next row; false at the end. An error may be about this row only: see bad_row.
  Result<bool> Next(Row* row) {
    bad_row_ = false;
    if (limit_ != 0 && next_ == limit_) return false;
    const std::uint64_t number = next_++;
    Result<bool> has_vector = vectors_->Next(&row->vector);
    row->payload = "{}";
    if (payloads_) {
      VDB_ASSIGN_OR_RETURN(const bool has_payload, payloads_->Next(&row->payload));
      if (has_vector.ok() && *has_vector != has_payload) {
        return InvalidArgumentError(
            StrCat(payloads_->Place(), ": row ", number,
                   *has_vector ? " has a vector and no payload" : " has a payload and no vector",
                   "; both files need the same number of rows"));
      }
    }
    bad_row_ = true;
    if (!has_vector.ok()) return has_vector.status();
    if (!*has_vector) return false;
    row->id = StrCat(number);
    if (!payloads_) return true;
    Result<std::optional<std::string>> id = Member(row->payload, id_field_);
    if (!id.ok()) return Status(id.status().code(), StrCat(payloads_->Place(), ": ", id.status().message()));
    if (*id) row->id = **std::move(id);
    return true;
  }

  // Whether the last error was about one row, and the next one may be read.
  bool bad_row() const { return bad_row_; }
  std::uint64_t dim() const { return vectors_->dim(); }
  std::uint64_t total() const {
    const std::uint64_t rows = vectors_->rows().value_or(0);
    return limit_ != 0 && (rows == 0 || limit_ < rows) ? limit_ : rows;
  }

 private:
  std::unique_ptr<VectorReader> vectors_;
  std::optional<LineReader> payloads_;
  std::string id_field_;
  std::uint64_t limit_ = 0;
  std::uint64_t next_ = 0;
  bool bad_row_ = false;
};

using AddRows = std::function<Status(std::span<const RecordView>)>;

std::vector<RecordView> Views(const std::vector<Row>& rows) {
  std::vector<RecordView> views;
  views.reserve(rows.size());
  for (const Row& row : rows) views.push_back({row.id, row.vector, row.payload});
  return views;
}

// Reads every row and adds them in batches.
class Pump {
 public:
  Pump(const LoadJob& job, RowSource* source, Progress* progress, LoadReport* report)
      : job_(job), source_(*source), progress_(*progress), report_(*report) {}

  Status Run(const AddRows& add, std::optional<Row> first) {
    std::size_t bytes = 0;
    if (first) rows_.push_back(*std::move(first));
    for (;;) {
      Row row;
      Result<bool> more = source_.Next(&row);
      if (!more.ok()) {
        if (!source_.bad_row()) return more.status();
        VDB_RETURN_IF_ERROR(Skip(more.status()));
        continue;
      }
      if (!*more) return Flush(add);
      bytes += row.vector.size() * sizeof(float) + row.payload.size() + row.id.size();
      rows_.push_back(std::move(row));
      if (rows_.size() < kBatchRows && bytes < kBatchBytes) continue;
      VDB_RETURN_IF_ERROR(Flush(add));
      bytes = 0;
    }
  }

 private:
  Status Skip(const Status& status) {
    if (!job_.skip_bad) return status;
    ++report_.skipped;
    if (report_.first_skipped.size() < kReportedRows) report_.first_skipped.push_back(status.message());
    return OkStatus();
  }

  Status Flush(const AddRows& add) {
    if (rows_.empty()) return OkStatus();
    const Status whole = add(Views(rows_));
    if (whole.ok()) {
      report_.rows += rows_.size();
    } else if (whole.code() != StatusCode::kInvalidArgument) {
      return whole;
    } else {
      // One of them is bad: row by row, to say which.
      for (const Row& row : rows_) {
        const RecordView view{row.id, row.vector, row.payload};
        const Status status = add({&view, 1});
        report_.rows += status.ok() ? 1 : 0;
        if (!status.ok()) VDB_RETURN_IF_ERROR(Skip(status));
      }
    }
    rows_.clear();
    progress_.Show("reading", report_.rows, source_.total());
    return OkStatus();
  }

  const LoadJob& job_;
  RowSource& source_;
  Progress& progress_;
  LoadReport& report_;
  std::vector<Row> rows_;
};

std::string_view PhaseName(BulkPhase phase) {
  switch (phase) {
    case BulkPhase::kStoring:
      return "storing";
    case BulkPhase::kLinking:
      return "indexing";
    case BulkPhase::kPublishing:
      return "publishing";
  }
  return "working";
}

Result<Collection> LoadInBulk(const LoadJob& job, Database* database, RowSource* source, Progress* progress,
                              LoadReport* report) {
  CollectionOptions options = job.options;
  std::optional<Row> first;
  if (options.dim == 0) options.dim = source->dim();
  if (job.mode == LoadMode::kCreate && options.dim == 0) {
    Row row;
    VDB_ASSIGN_OR_RETURN(const bool found, source->Next(&row));
    if (!found) return InvalidArgumentError(StrCat(job.vectors, " has no row that could tell the dimension"));
    options.dim = row.vector.size();
    first = std::move(row);
  }
  const BulkMode mode = job.mode == LoadMode::kCreate ? BulkMode::kCreate : BulkMode::kReplace;
  VDB_ASSIGN_OR_RETURN(BulkLoader loader, BulkLoader::Begin(database, job.collection, mode, options));
  VDB_RETURN_IF_ERROR(Pump(job, source, progress, report)
                          .Run([&](std::span<const RecordView> rows) { return loader.Add(rows); }, std::move(first)));
  return loader.Finish([&](BulkPhase phase, std::uint64_t done, std::uint64_t total) {
    if (phase != BulkPhase::kStoring) progress->Show(PhaseName(phase), done, total);
  });
}

Result<Collection> Append(const LoadJob& job, Database* database, RowSource* source, Progress* progress,
                          LoadReport* report) {
  VDB_ASSIGN_OR_RETURN(Collection collection, database->OpenCollection(job.collection));
  VDB_RETURN_IF_ERROR(Pump(job, source, progress, report)
                          .Run(
                              [&](std::span<const RecordView> rows) {
                                return collection.Upsert(rows, {.durability = Durability::kOsBuffered});
                              },
                              std::nullopt));
  progress->Show("indexing", 0, 0);
  VDB_RETURN_IF_ERROR(collection.WaitForIndex());
  VDB_RETURN_IF_ERROR(collection.Publish());
  return collection;
}

}  // namespace

Result<LoadReport> Load(const LoadJob& job) {
  const auto start = std::chrono::steady_clock::now();
  LoadReport report;
  Progress progress(job.quiet);
  VDB_ASSIGN_OR_RETURN(const std::unique_ptr<RowSource> source, RowSource::Open(job));
  VDB_ASSIGN_OR_RETURN(Database database,
                       Database::Open(job.database, {.create_if_missing = job.mode == LoadMode::kCreate}));
  Result<Collection> loaded = job.mode == LoadMode::kAppend
                                  ? Append(job, &database, source.get(), &progress, &report)
                                  : LoadInBulk(job, &database, source.get(), &progress, &report);
  progress.Finish();
  VDB_RETURN_IF_ERROR(loaded.status());
  VDB_ASSIGN_OR_RETURN(report.records, loaded->Count());
  VDB_RETURN_IF_ERROR(database.Close());  // everything is on the disk
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace vdb::tools
