#include "vdb/db/commit_group.h"

#include <vdb/limits.h>

#include <algorithm>
#include <new>

#include "absl/container/flat_hash_map.h"
#include "vdb/db/database_impl.h"
#include "vdb/query/filter_program.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

// Payloads of committed slots, from the store; of slots of this group, from their requests.
class GroupPayloads final : public PayloadReader {
 public:
  GroupPayloads(const storage::Store& store, storage::GenerationKey key) : store_(store), key_(key) {}
  void Add(std::uint32_t slot, std::string_view payload) { in_group_.emplace(slot, payload); }

  Status ReadPayload(std::uint32_t slot, std::string* out) override {
    const auto found = in_group_.find(slot);
    if (found == in_group_.end()) return store_.GetRecord(key_, slot, nullptr, out);
    *out = found->second;
    return OkStatus();
  }

 private:
  const storage::Store& store_;
  const storage::GenerationKey key_;
  absl::flat_hash_map<std::uint32_t, std::string_view> in_group_;
};

}  // namespace

CommitGroup::CommitGroup(DatabaseImpl* database, std::span<CommitRequest* const> requests)
    : database_(*database), requests_(requests), commit_seq_(database->commit_seq_ + 1) {}

CommitGroup::Touched& CommitGroup::Touch(CollectionImpl* collection) {
  Generation* generation = collection->writer_generation();
  const auto [found, is_new] = touched_.try_emplace(generation);
  if (is_new) {
    found->second.collection = collection;
    found->second.live = generation->live.load(std::memory_order_relaxed);
  }
  return found->second;
}

bool CommitGroup::IsKilled(const Generation& generation, std::uint32_t slot) const {
  const auto found = touched_.find(const_cast<Generation*>(&generation));
  return found != touched_.end() && found->second.killed_set.contains(slot);
}

void CommitGroup::Process() {
  const Status space = database_.CheckSpace();
  for (CommitRequest* request : requests_) {
    request->status = database_.CheckWritable();
    if (request->status.ok()) request->status = space;
    if (!request->status.ok()) continue;
    slots_.clear();
    try {
      request->status = Prepare(request);
    } catch (const std::bad_alloc&) {
      if (staging_) throw;
      request->status = ResourceExhaustedError("out of memory while preparing a write; nothing was changed");
    }
    if (!request->status.ok()) AbandonSlots(*request);
    if (request->status.ok()) sync_ |= request->durability == Durability::kSync;
  }
  if (!staged_) return;
  for (const auto& [generation, touched] : touched_) {
    batch_.PutCounters(generation->key, {.slots = generation->next_slot, .live = touched.live});
    if (touched.killed.empty()) continue;
    batch_.PutDeletes(generation->key, commit_seq_, touched.killed);
    MutexLock lock(&generation->purge_mutex);
    generation->unpurged.reserve(generation->unpurged.size() + 1);  // Apply must not fail
  }
  batch_.PutCommitSeq(commit_seq_);
  database_.in_flight_.Publish(before_);
  SyncPoints::Reached("commit.before_write");
  const Status written = database_.store().Write(&batch_, sync_);
  if (!written.ok()) {
    // The batch may or may not be there after reopening; readers stay on the clock before it.
    database_.BecomeReadOnly(written);
    for (CommitRequest* request : requests_) {
      if (request->status.ok()) request->status = written;
    }
    return;
  }
  SyncPoints::Reached("commit.after_write");
  Apply();
}

void CommitGroup::Apply() noexcept {
  database_.commit_seq_ = commit_seq_;
  for (auto& [generation, touched] : touched_) {
    Clock clock = generation->LoadClock();
    ++clock.epoch;
    clock.committed = generation->next_slot;
    for (const std::uint32_t slot : touched.killed) generation->deaths.Kill(slot, clock.epoch);
    for (const std::uint32_t slot : generation->abandoned) generation->deaths.Kill(slot, clock.epoch);
    generation->abandoned.clear();
    generation->PublishClock(clock, commit_seq_);
    generation->live.store(touched.live, std::memory_order_release);
    if (touched.killed.empty()) continue;
    touched.collection->CountDeaths(touched.killed.size());
    MutexLock lock(&generation->purge_mutex);
    generation->unpurged.push_back(
        {.commit_seq = commit_seq_, .epoch = clock.epoch, .slots = std::move(touched.killed)});
  }
  SyncPoints::Reached("commit.after_clock");
  database_.in_flight_.Withdraw();
  if (!sync_) return;
  // The data is safe whatever becomes of this; a stale watermark only means that a later loss may go unnoticed.
  if (database_.watermark_->Advance(commit_seq_).ok()) {
    database_.watermark_dirty_.store(true, std::memory_order_relaxed);
  }
}

Status CommitGroup::Prepare(CommitRequest* request) {
  for (const Mutation& mutation : request->mutations) {
    VDB_RETURN_IF_ERROR(mutation.collection->CheckUsable());
    VDB_RETURN_IF_ERROR(mutation.collection->CheckEpochs());
    const std::size_t dim = mutation.collection->writer_generation()->vectors->dim();
    if (mutation.is_delete || mutation.without_vector || mutation.vector.size() == dim) continue;
    return InvalidArgumentError(StrCat("record '", mutation.id, "': vector has ", mutation.vector.size(),
                                       " components; this collection stores ", dim));
  }
  VDB_RETURN_IF_ERROR(WriteRows(request));
  return ResolveAndStage(request);
}

void CommitGroup::AbandonSlots(const CommitRequest& request) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (request.mutations[i].is_delete) continue;
    request.mutations[i].collection->writer_generation()->abandoned.push_back(slots_[i]);
  }
}

Status CommitGroup::WriteVectors(CommitRequest* request) {
  // Runs of upserts of one collection are consecutive rows: one write each.
  std::map<Generation*, std::uint32_t> next;
  std::vector<float> rows;
  for (std::size_t i = 0; i < request->mutations.size();) {
    Generation* generation = request->mutations[i].collection->writer_generation();
    const std::uint32_t first = next.try_emplace(generation, generation->next_slot).first->second;
    rows.clear();
    std::uint32_t count = 0;
    for (; i < request->mutations.size(); ++i) {
      const Mutation& mutation = request->mutations[i];
      if (mutation.collection->writer_generation() != generation) break;
      if (mutation.is_delete) continue;
      mutation.AppendRow(generation->vectors->dim(), &rows);
      ++count;
    }
    if (count == 0 || rows.empty()) continue;  // no dimension yet: the rows stay as they are, zeros
    if (std::uint64_t{first} + count > kMaxRowsPerGeneration) {
      return ResourceExhaustedError(StrCat("the collection has ", first, " rows in this generation and room for ",
                                           kMaxRowsPerGeneration, "; compact it"));
    }
    VDB_RETURN_IF_ERROR(generation->vectors->WriteRows(first, rows));
    next[generation] = first + count;
  }
  return OkStatus();
}

Status CommitGroup::WriteRows(CommitRequest* request) {
  VDB_RETURN_IF_ERROR(WriteVectors(request));
  // From here on only memory and reads can fail: then the slots stay unused and count as dead.
  slots_.reserve(request->mutations.size());
  for (const Mutation& mutation : request->mutations) {
    if (mutation.is_delete) {
      slots_.push_back(0);
      continue;
    }
    Touch(mutation.collection);
    Generation* generation = mutation.collection->writer_generation();
    const std::uint32_t slot = generation->next_slot;
    generation->deaths.Reserve(std::uint64_t{slot} + 1);
    slots_.push_back(slot);
    ++generation->next_slot;
    generation->fields->ids().Write(slot, mutation.id);
    generation->fields->Write(slot, mutation.parsed);
    if (mutation.without_vector) generation->fields->MarkWithoutVector(slot);
  }
  return OkStatus();
}

Result<std::optional<std::uint32_t>> CommitGroup::CurrentSlot(Generation* generation, std::string_view id) {
  const auto found = now_.find(InFlightIds::MakeKey(generation->key, id));
  if (found != now_.end()) return found->second;
  return database_.store().FindId(generation->key, id);
}

void CommitGroup::Kill(Generation* generation, std::string_view id, std::uint32_t slot) {
  Touched& touched = touched_.at(generation);
  touched.killed.push_back(slot);
  touched.killed_set.insert(slot);
  --touched.live;
  std::string key = InFlightIds::MakeKey(generation->key, id);
  before_.try_emplace(key, slot);
  now_[std::move(key)] = std::nullopt;
}

Status CommitGroup::ResolveAndStage(CommitRequest* request) {
  // Reading the store may fail, so it comes first, into a list; staging below fails for lack of memory only.
  std::vector<std::optional<std::uint32_t>> stored(request->mutations.size());
  for (std::size_t i = 0; i < request->mutations.size(); ++i) {
    const Mutation& mutation = request->mutations[i];
    VDB_ASSIGN_OR_RETURN(stored[i], CurrentSlot(mutation.collection->writer_generation(), mutation.id));
  }
  if (request->filter_delete) {
    VDB_RETURN_IF_ERROR(StageFilterDelete(&*request->filter_delete, &request->removed));
  }
  staging_ = true;
  for (std::size_t i = 0; i < request->mutations.size(); ++i) {
    const Mutation& mutation = request->mutations[i];
    Touched& touched = Touch(mutation.collection);
    Generation* generation = mutation.collection->writer_generation();
    std::string key = InFlightIds::MakeKey(generation->key, mutation.id);
    const auto overlay = now_.find(key);  // an earlier mutation of this request may have changed it
    const std::optional<std::uint32_t> old = overlay != now_.end() ? overlay->second : stored[i];
    if (old) Kill(generation, mutation.id, *old);
    staged_ |= old.has_value() || !mutation.is_delete;
    if (mutation.is_delete) {
      if (!old) continue;
      ++request->removed;
      batch_.DeleteId(generation->key, mutation.id);
      continue;
    }
    ++touched.live;
    before_.try_emplace(key, std::nullopt);
    now_[std::move(key)] = slots_[i];
    upserts_.push_back({generation, slots_[i], mutation.payload});
    batch_.PutId(generation->key, mutation.id, slots_[i]);
    batch_.PutRecord(generation->key, mutation.Stored(slots_[i]));
    if (!mutation.without_vector) batch_.PutVector(generation->key, slots_[i], mutation.vector);
  }
  staging_ = false;
  return OkStatus();
}

Status CommitGroup::StageFilterDelete(FilterDelete* filter_delete, std::uint64_t* removed) {
  VDB_RETURN_IF_ERROR(filter_delete->collection->CheckUsable());
  VDB_RETURN_IF_ERROR(filter_delete->collection->CheckEpochs());
  Generation* generation = filter_delete->collection->writer_generation();
  if (generation != filter_delete->generation) {
    filter_delete->generation_changed = true;
    return OkStatus();
  }
  GroupPayloads payloads(database_.store(), generation->key);
  for (const StagedUpsert& upsert : upserts_) {
    if (upsert.generation == generation) payloads.Add(upsert.slot, upsert.payload.empty() ? "{}" : upsert.payload);
  }
  Touch(filter_delete->collection);
  std::vector<std::uint32_t> matching;
  for (const std::uint32_t slot : filter_delete->slots) {
    if (!generation->deaths.IsDead(slot) && !IsKilled(*generation, slot)) matching.push_back(slot);
  }
  const FilterProgram program = FilterProgram::Compile(filter_delete->filter, *generation->fields);
  for (std::uint32_t slot = filter_delete->evaluated_end; slot < generation->next_slot; ++slot) {
    if (generation->deaths.IsDead(slot) || IsKilled(*generation, slot)) continue;
    if (std::ranges::find(generation->abandoned, slot) != generation->abandoned.end()) continue;
    VDB_ASSIGN_OR_RETURN(const bool matches, SlotMatches(program, slot, payloads));
    if (matches) matching.push_back(slot);
  }
  staging_ = true;
  for (const std::uint32_t slot : matching) {
    const std::string_view id = generation->fields->ids().Get(slot);
    Kill(generation, id, slot);
    batch_.DeleteId(generation->key, id);
    staged_ = true;
  }
  staging_ = false;
  *removed += matching.size();
  return OkStatus();
}

}  // namespace vdb
