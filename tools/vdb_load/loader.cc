#include "tools/vdb_load/loader.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <utility>

#include "tools/lib/open_collection.h"
#include "tools/vdb_load/read_ahead.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

constexpr std::size_t kReportedRows = 5;

using AddRows = std::function<Status(std::span<const RecordView>)>;

// Moves rows from the files into a collection, and keeps account of the bad ones.
class Pump {
 public:
  Pump(const LoadJob& job, RowSource* source, Progress* progress)
      : job_(job), total_(source->total()), progress_(*progress), ahead_(source) {}

  // Components of the first good row; 0 if there is none.
  Result<std::size_t> FirstDim() {
    while (!is_drained_) {
      pending_.push_back(Take());
      const RowBatch& batch = pending_.back();
      if (!batch.rows.empty()) return batch.rows.front().vector.size();
      if (!batch.status.ok()) return batch.status;
      if (!batch.bad.empty() && !job_.skip_bad) return batch.bad.front().status;
    }
    return std::size_t{0};
  }

  Status Run(const AddRows& add) {
    while (!pending_.empty() || !is_drained_) {
      if (pending_.empty()) pending_.push_back(Take());
      const RowBatch batch = std::move(pending_.front());
      pending_.pop_front();
      VDB_RETURN_IF_ERROR(AddBatch(batch, add));
      VDB_RETURN_IF_ERROR(batch.status);
      progress_.Show("reading", rows_ + skipped_, total_);
    }
    return OkStatus();
  }

  std::uint64_t rows() const { return rows_; }
  std::uint64_t skipped() const { return skipped_; }

  std::vector<std::string> FirstSkipped() const {
    std::vector<std::string> messages;
    for (const BadRow& bad : bad_) messages.push_back(bad.status.message());
    return messages;
  }

 private:
  RowBatch Take() {
    RowBatch batch = ahead_.Next();
    is_drained_ = batch.is_last;
    return batch;
  }

  // Rows that could not be read or are not accepted, in the order of the file; the first one ends the load unless bad
  // rows are skipped.
  Status AddBatch(const RowBatch& batch, const AddRows& add) {
    // Rows behind the first unreadable one are not wanted if that ends the load.
    const std::uint64_t end = job_.skip_bad || batch.bad.empty() ? UINT64_MAX : batch.bad.front().number;
    std::vector<RecordView> views;
    for (const Row& row : batch.rows) {
      if (row.number < end) views.push_back(row.view());
    }
    std::vector<BadRow> bad = batch.bad;
    if (!views.empty()) {
      Status whole = add(views);
      if (whole.ok()) {
        rows_ += views.size();
      } else if (whole.code() == StatusCode::kInvalidArgument) {
        VDB_RETURN_IF_ERROR(AddOneByOne({batch.rows.data(), views.size()}, add, &bad));
      } else {
        return whole;
      }
    }
    std::sort(bad.begin(), bad.end(), [](const BadRow& a, const BadRow& b) { return a.number < b.number; });
    for (BadRow& row : bad) {
      if (!job_.skip_bad) return row.status;
      ++skipped_;
      if (bad_.size() < kReportedRows) bad_.push_back(std::move(row));
    }
    return OkStatus();
  }

  // After a batch was refused: finds the rows that are the reason.
  Status AddOneByOne(std::span<const Row> rows, const AddRows& add, std::vector<BadRow>* bad) {
    for (const Row& row : rows) {
      const RecordView view = row.view();
      Status status = add({&view, 1});
      if (!status.ok() && status.code() != StatusCode::kInvalidArgument) return status;
      rows_ += status.ok() ? 1 : 0;
      if (status.ok()) continue;
      bad->push_back({row.number, InvalidArgumentError(StrCat(row.place, ": ", status.message()))});
      if (!job_.skip_bad) break;
    }
    return OkStatus();
  }

  const LoadJob& job_;
  const std::uint64_t total_;
  Progress& progress_;
  std::deque<RowBatch> pending_;
  bool is_drained_ = false;
  std::uint64_t rows_ = 0;
  std::uint64_t skipped_ = 0;
  std::vector<BadRow> bad_;  // the first ones
  ReadAhead ahead_;
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

// Every row would be refused: better said once, before reading.
Status CheckDim(const LoadJob& job, std::uint64_t file_dim, const Collection& collection) {
  const std::size_t dim = collection.options().dim;  // 0: that of the first vector
  if (file_dim == 0 || dim == 0 || file_dim == dim) return OkStatus();
  return InvalidArgumentError(StrCat(job.files.vectors, ": vectors have ", file_dim, " components; collection '",
                                     job.collection, "' stores ", collection.options().dim));
}

Result<Collection> LoadInBulk(const LoadJob& job, Database* database, std::uint64_t file_dim, Pump* pump,
                              Progress* progress) {
  CollectionOptions options = job.options;
  BulkMode mode = BulkMode::kCreate;
  if (job.mode == LoadMode::kReplace) {
    VDB_ASSIGN_OR_RETURN(const Collection collection, OpenNamed(database, job.collection));
    VDB_RETURN_IF_ERROR(CheckDim(job, file_dim, collection));
    mode = BulkMode::kReplace;
  } else {
    options.dim = file_dim;
    if (options.dim == 0) {
      VDB_ASSIGN_OR_RETURN(options.dim, pump->FirstDim());
    }
    if (options.dim == 0) {
      return InvalidArgumentError(StrCat(job.files.vectors, ": no good row that could tell the dimension"));
    }
  }
  VDB_ASSIGN_OR_RETURN(BulkLoader loader, BulkLoader::Begin(database, job.collection, mode, options));
  VDB_RETURN_IF_ERROR(pump->Run([&](std::span<const RecordView> rows) { return loader.Add(rows); }));
  if (pump->rows() == 0 && pump->skipped() > 0) {
    return InvalidArgumentError(StrCat(
        "all ", pump->skipped(), " rows are bad, the first: ", pump->FirstSkipped().front(), "; nothing was changed"));
  }
  return loader.Finish([&](BulkPhase phase, std::uint64_t done, std::uint64_t total) {
    const bool is_counted = phase == BulkPhase::kLinking;  // the others are told once, when they begin
    progress->Show(PhaseName(phase), is_counted ? done : 0, is_counted ? total : 0);
  });
}

Result<Collection> Append(const LoadJob& job, Database* database, std::uint64_t file_dim, Pump* pump,
                          Progress* progress) {
  VDB_ASSIGN_OR_RETURN(Collection collection, OpenNamed(database, job.collection));
  VDB_RETURN_IF_ERROR(CheckDim(job, file_dim, collection));
  const Status status = pump->Run([&](std::span<const RecordView> rows) {
    return collection.Upsert(rows, {.durability = Durability::kOsBuffered});
  });
  if (!status.ok()) {
    const std::uint64_t rows = pump->rows();
    return rows == 0 ? status : status.WithMessage(StrCat(status.message(), "; rows loaded before it: ", rows));
  }
  progress->Show("indexing", 0, 0);
  VDB_RETURN_IF_ERROR(collection.WaitForIndex());
  progress->Show("publishing", 0, 0);
  VDB_RETURN_IF_ERROR(collection.Publish());
  return collection;
}

}  // namespace

Result<LoadReport> Load(const LoadJob& job) {
  const auto start = std::chrono::steady_clock::now();
  VDB_ASSIGN_OR_RETURN(RowSource source, RowSource::Open(job.files));
  VDB_ASSIGN_OR_RETURN(Database database,
                       Database::Open(job.database, {.create_if_missing = job.mode == LoadMode::kCreate}));
  Progress progress(job.progress);
  const std::uint64_t file_dim = source.dim();
  Pump pump(job, &source, &progress);
  const Result<Collection> loaded = job.mode == LoadMode::kAppend
                                        ? Append(job, &database, file_dim, &pump, &progress)
                                        : LoadInBulk(job, &database, file_dim, &pump, &progress);
  progress.Finish();
  VDB_RETURN_IF_ERROR(loaded.status());
  LoadReport report;
  report.rows = pump.rows();
  report.skipped = pump.skipped();
  report.first_skipped = pump.FirstSkipped();
  VDB_ASSIGN_OR_RETURN(report.records, loaded->Count());
  VDB_RETURN_IF_ERROR(database.Close());  // syncs: everything is on the disk
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace vdb::tools
