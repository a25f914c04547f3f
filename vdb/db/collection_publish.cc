// CollectionImpl: publishing the derived files, and using them at open.

#include <absl/cleanup/cleanup.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/index/link_file.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

// New slots and deaths that are worth a publication while writes go on; fewer wait for a pause or for Close.
constexpr std::uint64_t kPublishMinChanges = 20'000;
constexpr std::uint64_t kPublishMinQuietChanges = 2'000;
// Files up to this size are verified before the first answer, larger ones behind it.
std::atomic<std::uint64_t> verify_at_open_bytes{std::uint64_t{64} << 20};
// Room that a publication leaves on the disk.
constexpr std::uint64_t kPublishFreeBytes = std::uint64_t{256} << 20;

std::uint64_t Changes(std::uint32_t slots, std::uint32_t published, std::uint64_t deaths) {
  return slots - published + deaths;
}

// Bit i of word w is slot 64 w + i: not visible to the clock.
std::vector<std::uint64_t> DeadSlotsAt(const Deaths& deaths, Clock clock) {
  std::vector<std::uint64_t> dead((std::uint64_t{clock.committed} + 63) / 64);
  for (std::uint64_t word = 0; word < dead.size(); ++word) dead[word] = ~deaths.VisibleWord(word, clock);
  if (clock.committed % 64 != 0) dead.back() &= (std::uint64_t{1} << (clock.committed % 64)) - 1;
  return dead;
}

}  // namespace

bool CollectionImpl::PublishIsDue(const Generation& generation, bool idle) const {
  if (!database_.CheckWritable().ok()) return false;
  const std::uint64_t changes =
      Changes(generation.LoadClock().committed, published_slots_.load(std::memory_order_relaxed),
              deaths_.load(std::memory_order_relaxed) - published_deaths_.load(std::memory_order_relaxed));
  // After failures less and less often: the disk may be full for long.
  const std::uint64_t patience = std::uint64_t{1} << std::min(10U, publish_failures_.load(std::memory_order_relaxed));
  // Without its curve the next open would measure again, without its codes make them anew.
  const RecallCurve* curve = generation.graph->recall_curve();
  const bool has_new_curve = curve != nullptr && curve->rows() != published_curve_.load(std::memory_order_relaxed);
  const bool has_new_codes = CodesOf(*generation.graph) != published_codes_.load(std::memory_order_relaxed);
  if (idle) {
    return ((has_new_curve || has_new_codes) && patience == 1) || changes > kPublishMinQuietChanges * patience;
  }
  const std::uint64_t live = generation.live.load(std::memory_order_relaxed);
  return changes > std::max(kPublishMinChanges, live / 10) * patience;
}

Status CollectionImpl::Publish() {
  VDB_RETURN_IF_ERROR(CheckUsable());
  VDB_RETURN_IF_ERROR(database_.CheckWritable());
  return PublishGeneration(PinView()->generation.get());
}

Status CollectionImpl::PublishForClose() {
  const std::shared_ptr<const View> view = PinView();
  // Where verification was given up a publication would first read everything: a small change waits for another close.
  const bool idle = !view->generation->verifying.load(std::memory_order_acquire);
  return PublishIsDue(*view->generation, idle) ? PublishGeneration(view->generation.get()) : OkStatus();
}

void CollectionImpl::PublishIfDue(bool idle) {
  const std::shared_ptr<const View> view = PinView();
  if (!PublishIsDue(*view->generation, idle)) return;
  static_cast<void>(PublishGeneration(view->generation.get()));
}

Status CollectionImpl::PublishGeneration(Generation* generation) {
  MutexLock publishing(&publish_mutex_);
  const std::shared_ptr<const View> view = PinView();
  // Replaced meanwhile, by one that is published; or by its own renewal.
  if (view->generation->key.generation != generation->key.generation) return OkStatus();
  generation = view->generation.get();
  Status status = WriteFiles(generation);
  MutexLock counters(&counters_mutex_);
  if (status.ok()) {
    publish_failures_.store(0, std::memory_order_relaxed);
    counters_.publish_error.clear();
    ++counters_.publishes;
  } else {
    publish_failures_.fetch_add(1, std::memory_order_relaxed);
    database_.events().Add(
        EventLevel::kWarning,
        StrCat("collection '", name_, "' could not be published: ", status.message(), "; it will be tried again"));
    counters_.publish_error = status.ToString();
  }
  return status;
}

Status CollectionImpl::WriteNamedFiles(Generation* generation, const LinkSnapshot& links, Clock clock,
                                       storage::PublishedFiles* files) const {
  const bool same_links = files->links == published_.links;
  const bool same_columns = files->columns == published_.columns;
  const std::vector<std::uint64_t> dead = DeadSlotsAt(generation->deaths, clock);
  const LinkFileStamp stamp = StampOf(fixed_options_, dim(), *files);
  const std::string links_path = StrCat(generation->directory, "/", files->links);
  const std::string columns_path = StrCat(generation->directory, "/", files->columns);
  const auto write = [&]() -> Status {
    VDB_RETURN_IF_ERROR(WriteLinkFile(links_path, stamp, links, dead));
    SyncPoints::Reached("publish.after_links");
    if (!same_columns) VDB_RETURN_IF_ERROR(generation->fields->Save(columns_path, files->slots, files->commit_seq));
    SyncPoints::Reached("publish.after_columns");
    VDB_RETURN_IF_ERROR(generation->vectors->Sync());
    files->vector_checksums = generation->vectors->Checksums(files->slots);
    // Their checksums would call them sound, and the links that were made beside them.
    if (generation->mending.load(std::memory_order_acquire)) {
      return AbortedError("rows of the vector file are damaged; nothing is published until they are written anew");
    }
    return OkStatus();
  };
  Status written = write();
  if (!written.ok()) {
    // Whoever ran out of space must not leave half a publication there.
    if (!same_links) static_cast<void>(RemoveTree(links_path));
    if (!same_columns) static_cast<void>(RemoveTree(columns_path));
  }
  return written;
}

Status CollectionImpl::WriteFiles(Generation* generation) {
  VDB_ASSIGN_OR_RETURN(const std::uint64_t free_bytes, FreeBytes(generation->directory));
  const std::uint64_t wanted = kPublishFreeBytes + generation->graph->LinkBytes() + generation->fields->MemoryBytes();
  if (free_bytes < wanted) {
    return ResourceExhaustedError(StrCat("publishing needs ", wanted >> 20, " MiB free; there are ", free_bytes >> 20));
  }
  // What has been linked beside damaged rows is not for others.
  if (generation->verifying.load(std::memory_order_acquire)) {
    VDB_RETURN_IF_ERROR(generation->vectors->Verify());
  }
  const std::uint64_t deaths = deaths_.load(std::memory_order_relaxed);
  LinkSnapshot links;
  Generation::StampedClock stamped;
  {
    // The only moment for which linking waits. Links first: they never reach beyond a clock loaded later.
    const PriorityLock lock(&link_mutex_);
    VDB_RETURN_IF_ERROR(LoadLinks(generation, nullptr));
    links = CopyLinks(*generation->graph);
    stamped = generation->LoadStampedClock();
  }
  const Clock clock = stamped.clock;
  storage::PublishedFiles files;
  files.slots = clock.committed;
  files.commit_seq = stamped.commit_seq;
  const std::uint32_t curve_rows = links.curve.empty() ? 0 : links.curve.front().rows;
  const CodeChoice codes{.held = static_cast<std::uint32_t>(links.components.size()), .bits = links.bits};
  files.links = StrCat("links-", stamped.commit_seq, "-", links.linked, "-", curve_rows, "-", codes.held, "-",
                       static_cast<int>(codes.bits));
  files.columns = StrCat("columns-", stamped.commit_seq);
  const bool same_links = files.links == published_.links;
  const bool same_columns = files.columns == published_.columns;
  if (same_links && same_columns) return OkStatus();
  VDB_RETURN_IF_ERROR(WriteNamedFiles(generation, links, clock, &files));
  // Deletes entries that are purged and now stand in the files are not needed any more.
  storage::StoreBatch batch;
  batch.PutPublished(generation->key, files);
  {
    MutexLock purge(&generation->purge_mutex);
    std::erase_if(generation->purged_seqs, [&](std::uint64_t commit_seq) {
      if (commit_seq > stamped.commit_seq) return false;
      batch.RemoveDeletes(generation->key, commit_seq);
      return true;
    });
  }
  SyncPoints::Reached("publish.before_catalog");
  VDB_RETURN_IF_ERROR(database_.store().Write(&batch, true));
  SyncPoints::Reached("publish.after_catalog");
  const storage::PublishedFiles old = std::exchange(published_, std::move(files));
  NotePublished(deaths);
  published_curve_.store(curve_rows, std::memory_order_relaxed);
  published_codes_.store(codes, std::memory_order_relaxed);
  if (!old.links.empty() && !same_links) static_cast<void>(RemoveTree(StrCat(generation->directory, "/", old.links)));
  if (!old.columns.empty() && !same_columns) {
    static_cast<void>(RemoveTree(StrCat(generation->directory, "/", old.columns)));
  }
  return OkStatus();
}

Status CollectionImpl::ReadPublished(Generation* generation, const storage::PublishedFiles& files,
                                     LoadedLinks* links) const {
  const LinkFileStamp stamp = StampOf(fixed_options_, dim(), files);
  const auto read_links = [&]() -> Status {
    VDB_ASSIGN_OR_RETURN(generation->links,
                         PublishedLinks::Open(StrCat(generation->directory, "/", files.links), stamp, links));
    return OkStatus();
  };
  const auto read_columns = [&]() -> Status {
    VDB_ASSIGN_OR_RETURN(generation->fields, FieldIndex::Load(StrCat(generation->directory, "/", files.columns),
                                                              files.slots, files.commit_seq));
    return OkStatus();
  };
  Status read[2];
  bool out_of_memory[2] = {};
  // One is as much work as the other.
  database_.pool().ParallelFor(2, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      try {
        read[i] = i == 0 ? read_links() : read_columns();
      } catch (const std::bad_alloc&) {
        out_of_memory[i] = true;
      }
    }
  });
  if (out_of_memory[0] || out_of_memory[1]) throw std::bad_alloc();
  // Lack of something first: it says nothing about the files.
  if (read[1].code() == StatusCode::kResourceExhausted) return read[1];
  VDB_RETURN_IF_ERROR(read[0]);
  return read[1];
}

Status CollectionImpl::LoadPublished(Generation* generation, const storage::PublishedFiles& files,
                                     std::uint32_t slots) {
  if (files.commit_seq > database_.commit_seq()) {
    return DataLossError(
        StrCat("published files are of commit ", files.commit_seq, ", the store is at ", database_.commit_seq()));
  }
  LoadedLinks links;
  VDB_RETURN_IF_ERROR(ReadPublished(generation, files, &links));
  const std::string vectors = StrCat(generation->directory, "/vectors");
  if (database_.read_only()) {
    VDB_ASSIGN_OR_RETURN(generation->vectors,
                         VectorFile::OpenPrivate(vectors, dim(), files.slots, files.vector_checksums, slots));
  } else {
    VDB_ASSIGN_OR_RETURN(generation->vectors, VectorFile::Open(vectors, dim(), files.slots, files.vector_checksums));
  }
  if (generation->vectors->file_bytes() <= verify_at_open_bytes.load(std::memory_order_relaxed)) {
    VDB_RETURN_IF_ERROR(generation->vectors->Verify());
    VDB_RETURN_IF_ERROR(generation->links->LoadLevel0(links.graph.get(), generation->vectors->view()));
  } else {
    generation->verifying.store(true, std::memory_order_release);
  }
  generation->graph = std::move(links.graph);
  NotePublishedGraph(*generation->graph);
  generation->deaths.Reserve(files.slots);
  for (std::uint64_t word = 0; word < links.dead.size(); ++word) {
    for (std::uint64_t dead = links.dead[word]; dead != 0; dead &= dead - 1) {
      generation->deaths.Kill(
          static_cast<std::uint32_t>(word * 64 + static_cast<std::uint64_t>(std::countr_zero(dead))), 1);
    }
  }
  CountLeftOut(*generation, generation->graph.get());
  return OkStatus();
}

void CollectionImpl::NotePublishedGraph(const Graph& graph) noexcept {
  const RecallCurve* curve = graph.recall_curve();
  published_curve_.store(curve == nullptr ? 0 : curve->rows(), std::memory_order_relaxed);
  published_codes_.store(CodesOf(graph), std::memory_order_relaxed);
}

void CollectionImpl::SetPublished(const storage::PublishedFiles& files) {
  published_ = files;
  NotePublished(deaths_.load(std::memory_order_relaxed));
}

void CollectionImpl::NotePublished(std::uint64_t deaths) noexcept {
  published_slots_.store(published_.slots, std::memory_order_relaxed);
  published_seq_.store(published_.commit_seq, std::memory_order_release);
  published_deaths_.store(deaths, std::memory_order_relaxed);
}

void CollectionImpl::RecordDamage(const std::string& damage) {
  database_.events().Add(EventLevel::kWarning, StrCat("collection '", name_, "': ", damage));
  MutexLock lock(&counters_mutex_);
  counters_.damage = damage;
}

void CollectionImpl::SetVerifyAtOpenBytes(std::uint64_t bytes) {
  verify_at_open_bytes.store(bytes, std::memory_order_relaxed);
}

Status CollectionImpl::LoadLinks(Generation* generation, const std::function<bool()>& give_up) {
  if (generation->graph->MappedLevel0() == nullptr) return OkStatus();
  VDB_RETURN_IF_ERROR(generation->links->LoadLevel0(generation->graph.get(), generation->vectors->view(), give_up));
  CountLeftOut(*generation, generation->graph.get());
  return OkStatus();
}

bool CollectionImpl::IsEnding() const {
  return database_.closing() || dropped();
}

Result<std::shared_ptr<Generation>> CollectionImpl::ReplaceGraph(const Graph* damaged) {
  MutexLock publishing(&publish_mutex_);
  const PriorityLock linking(&link_mutex_);
  std::shared_ptr<Generation> replaced;
  VDB_RETURN_IF_ERROR(database_.RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    if (writer_generation_->graph.get() != damaged) return OkStatus();  // given up with its generation
    try {
      replaced = writer_generation_->Renew();
      replaced->graph = std::make_shared<Graph>(fixed_options_.m);
      replaced->links = nullptr;
      replaced->verifying.store(true, std::memory_order_release);
      TakePlace(replaced);
    } catch (const std::bad_alloc&) {
      return ResourceExhaustedError("out of memory while a damaged graph was to be replaced");
    }
    return OkStatus();
  }));
  if (replaced != nullptr) {
    // What is there under its name is not what will be.
    published_.links.clear();
    published_slots_.store(0, std::memory_order_relaxed);
  }
  return replaced;
}

void CollectionImpl::BeginVerification() {
  if (unverified_rows_.load(std::memory_order_relaxed) == 0) return;
  const std::uint32_t rows = unverified_rows_.exchange(0);
  std::shared_ptr<Generation> generation = PinView()->generation;
  if (rows == 0 || !generation->verifying.load(std::memory_order_acquire)) return;  // replaced meanwhile
  // Not in the background: until it is done walks are on float32 rows, and no answer is called exact.
  const auto count = [self = shared_from_this()](int change) {
    MutexLock lock(&self->counters_mutex_);
    self->verifications_ += change;
    self->verified_.NotifyAll();
  };
  count(1);
  absl::Cleanup not_posted = [&] { count(-1); };
  database_.pool().Post([self = shared_from_this(), count, generation = std::move(generation), rows] {
    self->VerifyPublished(generation, rows);
    count(-1);
  });
  std::move(not_posted).Cancel();
}

void CollectionImpl::VerifyPublished(std::shared_ptr<Generation> generation, std::uint32_t rows) {
  const DatabaseImpl::Operation operation(&database_);
  if (!operation.status().ok()) return;
  SyncPoints::Reached("verify.before_links");
  try {
    const auto is_ending = [this] { return IsEnding(); };
    // Rows first: codes are made of them.
    const Status vectors = generation->vectors->Verify(is_ending);
    if (vectors.code() == StatusCode::kAborted) return;
    if (!vectors.ok()) {
      RecordDamage(StrCat(vectors.message(), "; its rows were written anew from the store"));
      // Rows that readers look at meanwhile are damaged ones, and no answer is called exact until all are mended. If
      // the store cannot be read either, it stays so.
      generation->mending.store(true, std::memory_order_release);
      if (!ReplayVectors(generation.get(), 0, rows).ok()) return;
      generation->vectors->ForgetChecksums();
      SyncPoints::Reached("verify.mended");
    }
    Status links;
    bool linked_meanwhile = false;  // with codes of damaged rows
    {
      const PriorityLock linking(&link_mutex_);
      linked_meanwhile = !vectors.ok() && generation->graph->MappedLevel0() == nullptr;
      links = LoadLinks(generation.get(), is_ending);
    }
    if (links.code() == StatusCode::kAborted) return;
    if (!links.ok() || linked_meanwhile) {
      if (!links.ok()) RecordDamage(StrCat(links.message(), "; the graph is linked anew"));
      Result<std::shared_ptr<Generation>> replaced = ReplaceGraph(generation->graph.get());
      if (!replaced.ok() || *replaced == nullptr) return;  // answers go on, and none is called exact
      generation = *std::move(replaced);
    }
  } catch (const std::bad_alloc&) {
    return;  // the same
  }
  generation->mending.store(false, std::memory_order_release);
  generation->verifying.store(false, std::memory_order_release);
  ScheduleBackground(true);
}

}  // namespace vdb
