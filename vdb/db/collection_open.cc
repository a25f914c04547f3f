// CollectionImpl: loading a generation from the store.

#include <algorithm>
#include <new>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/db/validation.h"
#include "vdb/fields/payload_parser.h"
#include "vdb/storage/schema_copy.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

// Vectors are copied from the store in runs of this many.
constexpr std::size_t kRowsPerWrite = 256;

// Gathers consecutive rows and writes them in one go.
class RowRuns {
 public:
  explicit RowRuns(VectorFile* file) : file_(*file) {}

  Status Add(std::uint32_t slot, std::span<const float> row) {
    if (count_ > 0 && (slot != first_ + count_ || count_ == kRowsPerWrite)) VDB_RETURN_IF_ERROR(Flush());
    if (count_ == 0) first_ = slot;
    rows_.insert(rows_.end(), row.begin(), row.end());
    ++count_;
    return OkStatus();
  }

  Status Flush() {
    if (count_ == 0) return OkStatus();
    Status status = file_.WriteRows(first_, rows_);
    rows_.clear();
    count_ = 0;
    return status;
  }

 private:
  VectorFile& file_;
  std::vector<float> rows_;
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
};

// Files that a publication left behind when it died, or that the catalog has given up.
void RemoveStrangers(const std::string& directory, const std::optional<storage::PublishedFiles>& files) {
  const Result<std::vector<std::string>> names = ListDirectory(directory);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (name == "vectors" || name == storage::kSchemaCopyName ||
        (files && (name == files->links || name == files->columns)))
      continue;
    static_cast<void>(RemoveTree(StrCat(directory, "/", name)));
  }
}

}  // namespace

CollectionImpl::CollectionImpl(DatabaseImpl* database, const storage::CollectionSchema& schema)
    : database_(*database),
      id_(schema.id),
      name_(schema.name),
      fixed_options_(OptionsOf(schema.fields.front())),
      dim_(fixed_options_.dim),
      schema_generation_(schema.generation) {}

void CollectionImpl::SwapView(std::shared_ptr<Generation> generation) {
  auto view = std::make_shared<const View>(generation);
  writer_generation_ = std::move(generation);
  MutexLock lock(&view_mutex_);
  view_.swap(view);
  // A purge that waits counts in epochs of the generation before, which goes as a whole.
  purge_epoch_ = 0;
  old_views_.clear();
}

std::shared_ptr<Generation> CollectionImpl::ReleaseGeneration() {
  std::shared_ptr<Generation> generation = writer_generation_;
  // What calls that were under way may still ask for: an empty generation of the same shape.
  auto empty = std::make_shared<Generation>(generation->key, generation->directory);
  empty->vectors = VectorFile::Detached(dim());
  empty->graph = std::make_unique<Graph>(fixed_options_.m);
  SwapView(std::move(empty));
  return generation;
}

Status CollectionImpl::Load() {
  const storage::GenerationKey key{.collection = id_, .generation = schema_generation_};
  VDB_ASSIGN_OR_RETURN(const storage::Counters counters, database_.store().GetCounters(key));
  VDB_ASSIGN_OR_RETURN(std::optional<storage::PublishedFiles> files, database_.store().GetPublished(key));
  const std::string directory = database_.GenerationDirectory(key);
  if (!database_.read_only()) VDB_RETURN_IF_ERROR(MakeDirectory(directory));
  try {
    auto generation = std::make_shared<Generation>(key, directory);
    std::uint32_t replay_from = 0;
    if (files) {
      Status usable = LoadPublished(generation.get(), *files, counters.slots);
      if (usable.ok()) {
        replay_from = files->slots;
        MutexLock lock(&publish_mutex_);
        SetPublished(*files);
      } else if (usable.code() == StatusCode::kResourceExhausted) {
        return usable;  // making them anew would take more
      } else {
        // Derived files cost time, never data: everything comes from the store.
        RecordDamage(usable.message());
        files.reset();
        if (database_.CheckWritable().ok()) {
          storage::StoreBatch batch;
          batch.DeletePublished(key);
          static_cast<void>(database_.store().Write(&batch, false));  // else the next open finds them damaged again
        }
        generation = std::make_shared<Generation>(key, directory);
      }
    }
    if (!database_.read_only()) RemoveStrangers(directory, files);
    if (generation->graph == nullptr) generation->graph = std::make_unique<Graph>(fixed_options_.m);
    if (generation->vectors == nullptr) {
      VDB_ASSIGN_OR_RETURN(generation->vectors, MakeVectors(directory, counters.slots));
    }
    VDB_RETURN_IF_ERROR(Replay(generation.get(), replay_from, counters));
    generation->next_slot = counters.slots;
    generation->live.store(counters.live, std::memory_order_relaxed);
    // Every slot that is dead now was killed by epoch 1: invisible to every clock from here on.
    generation->PublishClock({.committed = counters.slots, .epoch = Generation::FirstEpoch()}, database_.commit_seq());
    SwapView(generation);
    if (!database_.read_only()) KeepSchemaCopy();
    if (generation->verifying.load(std::memory_order_relaxed)) unverified_rows_.store(replay_from);
    if (WantsGraph(*generation)) ScheduleBackground(true);
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError(StrCat("out of memory while loading collection '", name_, "'"));
  }
  return OkStatus();
}

void CollectionImpl::KeepSchemaCopy() const {
  Result<storage::CollectionSchema> schema = database_.SchemaOf(*this);
  Result<std::string> document = database_.store().GetDocument(id_);
  if (!schema.ok() || !document.ok()) return;
  static_cast<void>(storage::KeepSchemaCopy(writer_generation_->directory, {*std::move(schema), *std::move(document)}));
}

Result<std::unique_ptr<VectorFile>> CollectionImpl::MakeVectors(const std::string& directory,
                                                                std::uint32_t slots) const {
  const std::string path = StrCat(directory, "/vectors");
  if (database_.read_only()) return VectorFile::OpenPrivate(path, dim(), 0, {}, slots);
  return VectorFile::Create(path, dim());
}

Status CollectionImpl::Replay(Generation* generation, std::uint32_t first, const storage::Counters& counters) {
  generation->deaths.Reserve(counters.slots);
  PayloadParser parser;
  ParsedPayload parsed;
  storage::StoreCursor records = database_.store().Records(generation->key, first);
  std::uint32_t expected = first;
  for (;;) {
    VDB_ASSIGN_OR_RETURN(const std::optional<storage::RecordEntry> entry, records.NextRecord(counters.slots));
    // A slot without a record was abandoned or has been purged.
    const std::uint32_t next = entry ? entry->slot : counters.slots;
    for (; expected < next; ++expected) generation->deaths.Kill(expected, 1);
    if (!entry) break;
    if (Status status = parser.Parse(entry->payload, &parsed); !status.ok()) {
      return DataLossError(StrCat("the store's payload of record '", entry->id, "' is damaged: ", status.message()));
    }
    generation->fields->ids().Write(entry->slot, entry->id);
    generation->fields->Write(entry->slot, parsed);
    if (entry->without_vector) generation->fields->MarkWithoutVector(entry->slot);
    ++expected;
  }
  VDB_RETURN_IF_ERROR(ReplayVectors(generation, first, counters.slots));
  VDB_ASSIGN_OR_RETURN(const std::vector<storage::DeletesEntry> deletes, database_.store().Deletes(generation->key));
  MutexLock lock(&generation->purge_mutex);
  for (const storage::DeletesEntry& entry : deletes) {
    bool is_published = true;
    for (const std::uint32_t slot : entry.slots) {
      if (slot >= counters.slots) {
        return DataLossError(
            StrCat("the store's deletes of commit ", entry.commit_seq, " name slot ", slot, " of ", counters.slots));
      }
      const bool is_known = slot < first && generation->deaths.IsDead(slot);
      is_published &= is_known;
      if (slot < first && !is_known) CountDeaths(1);  // or short sessions would never publish
      generation->deaths.Kill(slot, 1);
    }
    generation->unpurged.push_back({entry.commit_seq, 1, entry.slots, is_published});
  }
  return OkStatus();
}

Status CollectionImpl::ReplayVectors(Generation* generation, std::uint32_t first, std::uint32_t end) const {
  RowRuns rows(generation->vectors.get());
  storage::StoreCursor vectors = database_.store().Vectors(generation->key, first);
  std::uint32_t expected = first;
  const bool normalise = fixed_options_.metric == Metric::kCosine;
  for (;;) {
    VDB_ASSIGN_OR_RETURN(const std::optional<storage::VectorEntry> entry, vectors.NextVector(end));
    for (const std::uint32_t next = entry ? entry->slot : end; expected < next; ++expected) {
      if (generation->deaths.IsDead(expected) || generation->fields->without_vector().Test(expected)) continue;
      return DataLossError(StrCat("the store has no vector of slot ", expected, ", only its record"));
    }
    if (!entry) {
      VDB_RETURN_IF_ERROR(rows.Flush());
      return generation->vectors->ReserveFor(end, dim());  // slots at the end may have no row
    }
    ++expected;
    if (entry->vector.size() != dim()) {
      return DataLossError(StrCat("the store's vector of slot ", entry->slot, " has ", entry->vector.size(),
                                  " components; wanted ", dim()));
    }
    VDB_RETURN_IF_ERROR(normalise ? rows.Add(entry->slot, Normalise(entry->vector))
                                  : rows.Add(entry->slot, entry->vector));
  }
}

}  // namespace vdb
