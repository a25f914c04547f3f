#include "vdb/db/generation_builder.h"

#include <vdb/limits.h>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "vdb/db/database_impl.h"
#include "vdb/index/graph_builder.h"
#include "vdb/index/link_file.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

void Report(const BulkProgress& progress, BulkPhase phase, std::uint64_t done, std::uint64_t total) {
  if (progress) progress(phase, done, total);
}

}  // namespace

GenerationBuilder::GenerationBuilder(std::shared_ptr<DatabaseImpl> database, storage::CollectionSchema schema)
    : database_(std::move(database)),
      schema_(std::move(schema)),
      key_{.collection = schema_.id, .generation = schema_.generation} {}

Result<std::unique_ptr<GenerationBuilder>> GenerationBuilder::Begin(std::shared_ptr<DatabaseImpl> database,
                                                                    storage::CollectionSchema schema) {
  std::unique_ptr<GenerationBuilder> builder(new GenerationBuilder(std::move(database), std::move(schema)));
  DatabaseImpl& db = *builder->database_;
  const storage::GenerationKey key = builder->key_;
  VDB_RETURN_IF_ERROR(db.RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(db.CheckWritable());
    VDB_RETURN_IF_ERROR(db.CheckSpace());
    storage::StoreBatch batch;
    batch.PutIntent({storage::IntentKind::kBuild, key});
    return db.CommitCatalog(&batch);
  }));
  SyncPoints::Reached("build.after_intent");
  const std::string directory = db.GenerationDirectory(key);
  VDB_RETURN_IF_ERROR(RemoveTree(directory));
  VDB_RETURN_IF_ERROR(MakeDirectory(directory));
  const storage::VectorFieldSchema& field = builder->schema_.fields.front();
  builder->generation_ = std::make_shared<Generation>(key, directory);
  VDB_ASSIGN_OR_RETURN(builder->generation_->vectors, VectorFile::Create(directory + "/vectors", field.dim));
  builder->generation_->graph = std::make_unique<Graph>(field.m);
  builder->sorted_.emplace(db.store(), directory, key);
  return builder;
}

GenerationBuilder::~GenerationBuilder() {
  if (installed_) return;
  sorted_.reset();
  generation_.reset();
  // The next open removes what is left, by the intent: after a failure here; when the database has been closed, or the
  // process is a fork of its owner; and when a failed write has made it read-only, for if that was the installation, it
  // may be in the store all the same.
  const DatabaseImpl::Operation operation(database_.get());
  if (!operation.status().ok() || !database_->CheckWritable().ok()) return;
  static_cast<void>(database_->RemoveGeneration(key_));
}

Status GenerationBuilder::FixDimension(std::span<const Mutation> mutations) {
  std::uint32_t& dim = schema_.fields.front().dim;
  for (const Mutation& mutation : mutations) {
    const std::size_t components = mutation.vector.size();
    if (mutation.without_vector || components == dim) continue;
    if (dim != 0) {
      return InvalidArgumentError(
          StrCat("record '", mutation.id, "': vector has ", components, " components, earlier ones ", dim));
    }
    VDB_RETURN_IF_ERROR(generation_->vectors->ReserveFor(generation_->next_slot, components));
    dim = static_cast<std::uint32_t>(components);
    generation_->vectors->FixDimension(components);
  }
  return OkStatus();
}

Status GenerationBuilder::Add(std::span<const Mutation> mutations) {
  Generation& generation = *generation_;
  if (std::uint64_t{generation.next_slot} + mutations.size() > kMaxRowsPerGeneration) {
    return ResourceExhaustedError(StrCat("a collection holds ", kMaxRowsPerGeneration, " rows at most"));
  }
  // The reserve is for those who write beside the load.
  VDB_RETURN_IF_ERROR(database_->CheckSpace());
  SyncPoints::Reached("build.before_rows");
  VDB_RETURN_IF_ERROR(FixDimension(mutations));
  std::vector<float> rows;
  for (const Mutation& mutation : mutations) {
    mutation.AppendRow(generation.vectors->dim(), &rows);
  }
  if (!rows.empty()) VDB_RETURN_IF_ERROR(generation.vectors->WriteRows(generation.next_slot, rows));
  generation.deaths.Reserve(std::uint64_t{generation.next_slot} + mutations.size());
  for (const Mutation& mutation : mutations) {
    const std::uint32_t slot = generation.next_slot++;
    VDB_RETURN_IF_ERROR(sorted_->AddRecord(mutation.Stored(slot)));
    if (!mutation.without_vector) VDB_RETURN_IF_ERROR(sorted_->AddVector(slot, mutation.vector));
    generation.fields->ids().Write(slot, mutation.id);
    generation.fields->Write(slot, mutation.parsed);
    if (mutation.without_vector) generation.fields->MarkWithoutVector(slot);
    const auto [found, is_new] = slots_.try_emplace(std::string(mutation.id), slot);
    if (is_new) continue;
    generation.deaths.Kill(found->second, 1);
    replaced_.push_back(found->second);
    found->second = slot;
  }
  return OkStatus();
}

Status GenerationBuilder::WriteIds() {
  std::vector<std::pair<std::string, std::uint32_t>> ids(slots_.begin(), slots_.end());
  slots_.clear();
  std::sort(ids.begin(), ids.end());
  for (const auto& [id, slot] : ids) VDB_RETURN_IF_ERROR(sorted_->AddId(id, slot));
  return OkStatus();
}

Status GenerationBuilder::Link(const BulkProgress& progress) {
  Generation& generation = *generation_;
  const storage::VectorFieldSchema& field = schema_.fields.front();
  const std::uint64_t live = generation.next_slot - replaced_.size();
  const std::uint64_t with_vector = live - std::min(live, generation.LiveWithoutVector(generation.next_slot));
  if (with_vector * VectorFile::StrideFor(field.dim) * sizeof(float) < kMinGraphBytes) return OkStatus();
  const BuildContext context{.vectors = generation.vectors->view(),
                             .metric = field.metric,
                             .codes = ResolveCodes(field.code, field.dim),
                             .rows = generation.next_slot,
                             .ef_construction = field.ef_construction,
                             .deaths = &generation.deaths,
                             .has_row = generation.HasRow(),
                             .pool = &database_->pool()};
  while (generation.graph->linked() < generation.next_slot) {
    VDB_RETURN_IF_ERROR(database_->CheckUsable());
    LinkBatch(generation.graph.get(), context, generation.next_slot);
    Report(progress, BulkPhase::kLinking, generation.graph->linked(), generation.next_slot);
  }
  // The generation is not visible yet: its clock shows nothing, so it is told what there is.
  try {
    MeasureRecall(generation, field.metric, {.committed = generation.next_slot, .epoch = 1},
                  [&] { return !database_->CheckUsable().ok(); });
  } catch (const std::bad_alloc&) {
    // It is measured once the collection is open.
  }
  return database_->CheckUsable();
}

Status GenerationBuilder::Publish() {
  Generation& generation = *generation_;
  files_.slots = generation.next_slot;
  files_.commit_seq = 0;  // before every commit that will touch the generation
  files_.links = "links-0";
  files_.columns = "columns-0";
  const storage::VectorFieldSchema& field = schema_.fields.front();
  const LinkFileStamp stamp = StampOf(OptionsOf(field), field.dim, files_);
  std::vector<std::uint64_t> dead((std::uint64_t{files_.slots} + 63) / 64);
  for (std::uint64_t word = 0; word < dead.size(); ++word) dead[word] = generation.deaths.DeadWord(word);
  VDB_RETURN_IF_ERROR(
      WriteLinkFile(StrCat(generation.directory, "/", files_.links), stamp, CopyLinks(*generation.graph), dead));
  VDB_RETURN_IF_ERROR(
      generation.fields->Save(StrCat(generation.directory, "/", files_.columns), files_.slots, files_.commit_seq));
  VDB_RETURN_IF_ERROR(generation.vectors->Sync());
  files_.vector_checksums = generation.vectors->Checksums(files_.slots);
  return SyncDirectory(generation.directory);
}

Status GenerationBuilder::Build(const BulkProgress& progress) {
  const std::uint64_t rows = generation_->next_slot;
  Report(progress, BulkPhase::kStoring, rows, rows);
  SyncPoints::Reached("build.before_ingest");
  VDB_RETURN_IF_ERROR(database_->CheckSpace());
  if (rows > 0) {
    VDB_RETURN_IF_ERROR(WriteIds());
    VDB_ASSIGN_OR_RETURN(const storage::IngestFiles files, sorted_->Finish());
    VDB_RETURN_IF_ERROR(database_->store().Ingest(files));
  }
  SyncPoints::Reached("build.after_ingest");
  VDB_RETURN_IF_ERROR(Link(progress));
  Report(progress, BulkPhase::kPublishing, 0, 0);
  VDB_RETURN_IF_ERROR(database_->CheckSpace());
  VDB_RETURN_IF_ERROR(Publish());
  generation_->live.store(rows - replaced_.size(), std::memory_order_relaxed);
  SyncPoints::Reached("build.after_publish");
  return OkStatus();
}

Status GenerationBuilder::Install(const std::optional<storage::GenerationKey>& drop_old) {
  VDB_RETURN_IF_ERROR(database_->CheckSpace());
  const std::uint64_t commit_seq = database_->commit_seq() + 1;
  storage::StoreBatch batch;
  batch.PutSchema(schema_);
  batch.PutCounters(key_, {.slots = generation_->next_slot, .live = generation_->live.load()});
  batch.PutPublished(key_, files_);
  if (!replaced_.empty()) batch.PutDeletes(key_, commit_seq, replaced_);
  batch.DeleteIntent(key_);
  if (drop_old) batch.PutIntent({storage::IntentKind::kDrop, *drop_old});
  DeadSlots dead{.commit_seq = commit_seq, .epoch = 1, .slots = replaced_, .is_published = true};
  MutexLock lock(&generation_->purge_mutex);
  generation_->unpurged.reserve(generation_->unpurged.size() + 1);
  SyncPoints::Reached("build.before_install");
  VDB_RETURN_IF_ERROR(database_->CommitCatalog(&batch));
  SyncPoints::Reached("build.after_install");
  installed_ = true;
  if (!replaced_.empty()) generation_->unpurged.push_back(std::move(dead));
  generation_->PublishClock({.committed = generation_->next_slot, .epoch = 1}, commit_seq);
  return OkStatus();
}

}  // namespace vdb
