// CollectionImpl: linking and purging in the background.

#include <absl/cleanup/cleanup.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <new>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/index/calibration.h"
#include "vdb/index/graph_builder.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

// A tail of this many rows costs about one walk; a writer that finds 16 times as many links a batch before it returns.
constexpr std::uint32_t kTailTargetRows = 1'500;
constexpr std::uint32_t kTailBoundRows = 16 * kTailTargetRows;
// From here on linking is as urgent as the writers, who will soon have to wait for it: on a busy machine a thread that
// takes what others leave would hold the lock of linking for long.
constexpr std::uint32_t kTailUrgentRows = kTailBoundRows / 2;
// How long somebody waits for a batch that is linked in the background, before it is given up. On processors that are
// busy with others such threads get a sixtieth of one, and a batch would take many seconds.
constexpr std::chrono::milliseconds kBatchPatience{100};
// A curve is measured again when the graph is so many times as large.
constexpr std::uint64_t kGrowthToCalibrate = 2;
// Slots purged in one write of the store.
constexpr std::size_t kPurgeSlots = 4'096;
// Seconds without a commit before leftovers are linked, and before a small change is published.
constexpr std::uint32_t kQuietTicksToLink = 1;
constexpr std::uint32_t kQuietTicksToPublish = 30;

// Rows that searches scan, as they are not in the graph yet.
std::uint32_t TailRows(const Generation& generation) {
  return generation.LoadClock().committed - generation.graph->linked();
}

}  // namespace

bool CollectionImpl::WantsGraph(const Generation& generation) const {
  if (generation.graph->linked() > 0) return true;
  const std::uint64_t live = generation.live.load(std::memory_order_relaxed);
  const std::uint64_t with_vector =
      live - std::min(live, generation.LiveWithoutVector(generation.LoadClock().committed));
  return with_vector * VectorFile::StrideFor(dim()) * sizeof(float) >= kMinGraphBytes;
}

bool CollectionImpl::LinkOneBatch(Generation* generation, std::uint32_t min_rows, ThreadPool* pool) {
  if (pool != &database_.background_pool()) {
    const PriorityLock lock(&link_mutex_);
    return LinkOneBatchLocked(generation, min_rows, pool, nullptr);
  }
  const LastLock lock(&link_mutex_);
  std::atomic<SteadyTime::TimePoint> wanted_since{SteadyTime::TimePoint()};
  return LinkOneBatchLocked(generation, min_rows, pool, [&] {
    if (IsEnding()) return true;
    if (!link_mutex_.IsWanted()) return false;
    SyncPoints::Reached("index.batch_is_wanted");
    const SteadyTime::TimePoint now = SteadyTime::Now();
    SteadyTime::TimePoint since;
    return !wanted_since.compare_exchange_strong(since, now) && now - since > kBatchPatience;
  });
}

bool CollectionImpl::LinkOneBatchLocked(Generation* generation, std::uint32_t min_rows, ThreadPool* pool,
                                        const std::function<bool()>& give_up) {
  if (PinView()->generation.get() != generation) return false;  // replaced meanwhile
  if (!WantsGraph(*generation)) return false;
  const std::uint32_t committed = generation->LoadClock().committed;
  const std::uint32_t linked = generation->graph->linked();
  if (committed - linked < std::max(1U, min_rows)) return false;
  // Where they are damaged whoever verifies the files replaces the graph.
  if (!LoadLinks(generation, [this] { return IsEnding(); }).ok()) return false;
  SyncPoints::Reached("index.before_batch");
  const BuildContext context{.vectors = generation->vectors->view(),
                             .metric = fixed_options_.metric,
                             .codes = ResolveCodes(fixed_options_.codes, dim()),
                             .rows = committed,
                             .ef_construction = fixed_options_.ef_construction,
                             .deaths = &generation->deaths,
                             .has_row = generation->HasRow(),
                             .pool = pool,
                             .give_up = give_up};
  if (!LinkBatch(generation->graph.get(), context, std::min(committed, linked + kMaxBatchRows))) {
    SyncPoints::Reached("index.gave_up");
    return true;
  }
  MutexLock counters(&counters_mutex_);
  ++counters_.linked_batches;
  return true;
}

ThreadPool* CollectionImpl::IndexingPool() const {
  const std::shared_ptr<const View> view = PinView();
  const bool is_urgent = TailRows(*view->generation) > kTailUrgentRows;
  return is_urgent ? &database_.pool() : &database_.background_pool();
}

void CollectionImpl::AfterCommit() noexcept {
  commits_.fetch_add(1, std::memory_order_relaxed);
  try {
    LinkAfterCommit();
  } catch (const std::bad_alloc&) {
    // The commit stands; what it wrote is in the tail, and is linked when there is memory.
  }
}

void CollectionImpl::LinkAfterCommit() {
  const std::shared_ptr<const View> view = PinView();
  Generation* generation = view->generation.get();
  if (!WantsGraph(*generation)) return;
  const std::uint32_t tail = TailRows(*generation);
  if (tail >= kMaxBatchRows) ScheduleBackground(false);
  if (tail > kTailBoundRows && generation->graph->linked() > 0) {
    SyncPoints::Reached("index.writer_helps");
    helping_writers_.fetch_add(1, std::memory_order_acq_rel);
    const absl::Cleanup end_help = [&] { helping_writers_.fetch_sub(1, std::memory_order_acq_rel); };
    LinkOneBatch(generation, kMaxBatchRows, &database_.pool());
    ScheduleBackground(false);
  }
}

void CollectionImpl::ScheduleBackground(bool idle) {
  {
    MutexLock lock(&background_mutex_);
    background_.wanted = true;
    background_.idle |= idle;
    // A second task would stand before the lock of linking, on a thread that the first one's loops could use.
    if (std::exchange(background_.has_task, true)) return;
  }
  PostBackground();
}

void CollectionImpl::PostBackground() {
  ThreadPool* const pool = IndexingPool();
  // The database's pools end before the database: the collection outlives the task.
  pool->Post([self = shared_from_this(), pool] {
    for (;;) {
      bool idle = false;
      {
        MutexLock lock(&self->background_mutex_);
        if (!self->background_.wanted) {
          self->background_.has_task = false;
          return;
        }
        idle = std::exchange(self->background_.idle, false);
        self->background_.wanted = false;
      }
      if (!self->RunBackground(idle, pool)) return;
    }
  });
}

bool CollectionImpl::RunBackground(bool idle, ThreadPool* pool) {
  try {
    for (bool more = true; more;) {
      const DatabaseImpl::Operation operation(&database_);  // one batch at a time, so that Close need not wait for long
      if (!operation.status().ok() || dropped()) return true;
      if (IndexingPool() != pool) {
        ScheduleBackground(idle);
        PostBackground();
        return false;
      }
      if (helping_writers_.load(std::memory_order_acquire) > 0) break;  // they link, and schedule what is left
      more = LinkOneBatch(PinView()->generation.get(), idle ? 1 : kMaxBatchRows, pool);
    }
    const DatabaseImpl::Operation operation(&database_);
    if (!operation.status().ok() || dropped()) return true;
    if (codes_mutex_.TryLock()) {  // a thread that waited would not link meanwhile
      RenewCodesIfDue(idle, pool);
      codes_mutex_.Unlock();
    }
    PublishIfDue(idle);
    Purge();
    if (EpochsAreDue(*PinView()->generation)) static_cast<void>(RenewEpochs());  // else the next tick tries again
    if (idle) CalibrateIfDue();
  } catch (const std::bad_alloc&) {
    // What was not linked stays in the tail, where it is scanned; the next tick tries again.
  }
  return true;
}

bool CollectionImpl::BackgroundIsWanted() const {
  MutexLock lock(&background_mutex_);
  return background_.wanted;
}

bool CollectionImpl::CalibrationIsDue(const Generation& generation) const {
  const Graph& graph = *generation.graph;
  // Measured without codes, distances of inner products have nothing to be counted from: see Calibrate.
  if (fixed_options_.metric == Metric::kInnerProduct && graph.code_space() == nullptr) return false;
  const RecallCurve* curve = graph.recall_curve();
  const std::uint64_t measured = curve == nullptr ? kMinCalibrationRows / 2 : curve->rows();
  return graph.MappedLevel0() == nullptr && graph.linked() >= kGrowthToCalibrate * measured;
}

void CollectionImpl::CalibrateIfDue() {
  if (!calibration_mutex_.TryLock()) return;  // a thread that waited would not link meanwhile
  calibrating_.store(true, std::memory_order_release);
  try {
    // What is to be linked, published or purged comes first; the next tick that is quiet begins anew.
    Calibrate([this] { return BackgroundIsWanted(); });
  } catch (const std::bad_alloc&) {
    // The next tick tries again.
  }
  calibrating_.store(false, std::memory_order_release);
  calibration_mutex_.Unlock();
}

void CollectionImpl::Calibrate(const std::function<bool()>& stop) {
  // The generation alone: a View would hold up the purge of what dies meanwhile.
  const std::shared_ptr<Generation> generation = PinView()->generation;
  if (!CalibrationIsDue(*generation)) return;
  const auto is_over = [&] {
    return stop() || !CheckUsable().ok() || PinView()->generation->graph != generation->graph;
  };
  MeasureRecall(*generation, fixed_options_.metric, generation->LoadClock(), is_over);
}

void CollectionImpl::Tick() {
  BeginVerification();
  const std::uint64_t commits = commits_.load(std::memory_order_relaxed);
  quiet_ticks_ = commits == commits_at_last_tick_ ? quiet_ticks_ + 1 : 0;
  commits_at_last_tick_ = commits;
  {
    const std::shared_ptr<const View> view = PinView();
    const Generation& generation = *view->generation;
    const std::uint32_t tail = TailRows(generation);
    const bool idle = quiet_ticks_ >= kQuietTicksToLink &&
                      ((WantsGraph(generation) && tail > 0) ||
                       (CalibrationIsDue(generation) && !calibrating_.load(std::memory_order_acquire)));
    const bool is_quiet = quiet_ticks_ >= kQuietTicksToPublish;
    const bool publish = PublishIsDue(generation, is_quiet);
    if (idle || publish || EpochsAreDue(generation) || CodesAreOutgrown(generation)) {
      ScheduleBackground(idle || (publish && is_quiet));
    }
  }
  EndOldScans();
  Purge();  // without a View of one's own to wait for
}

Status CollectionImpl::WaitForIndex() {
  VDB_RETURN_IF_ERROR(CheckUsable());
  BeginVerification();
  std::shared_ptr<const View> view = PinView();
  const storage::GenerationKey key = view->generation->key;
  const std::uint32_t committed = view->generation->LoadClock().committed;
  // A generation that takes the place of this one comes with its graph.
  while (view->generation->key.generation == key.generation && WantsGraph(*view->generation) &&
         view->generation->graph->linked() < committed) {
    VDB_RETURN_IF_ERROR(CheckUsable());
    // Helping is waiting. Nothing to help with: the links cannot be read, or somebody else was faster.
    if (!LinkOneBatch(view->generation.get(), 1, &database_.pool()) && view->generation->graph->linked() < committed) {
      VDB_RETURN_IF_ERROR(AwaitLinks(view->generation.get()));
    }
    view = PinView();
  }
  view.reset();
  {
    MutexLock renewing(&codes_mutex_);
    RenewCodesIfDue(true, &database_.pool());
  }
  MutexLock calibrating(&calibration_mutex_);
  Calibrate([] { return false; });
  return CheckUsable();
}

Status CollectionImpl::AwaitLinks(Generation* generation) {
  {
    MutexLock lock(&counters_mutex_);
    while (verifications_ > 0) verified_.Wait(&counters_mutex_);
  }
  const PriorityLock linking(&link_mutex_);
  if (PinView()->generation.get() != generation) return OkStatus();
  const Status loaded = LoadLinks(generation, [this] { return IsEnding(); });
  return IsEnding() ? CheckUsable() : loaded;
}

std::shared_ptr<const View> CollectionImpl::AdvancePurge(std::uint32_t* epoch) {
  std::shared_ptr<const View> view;
  {
    MutexLock lock(&view_mutex_);
    view = view_;
    if (purge_epoch_ == 0) {
      MutexLock purge(&view->generation->purge_mutex);
      if (view->generation->unpurged.empty()) return view_;
      // From here on every reader that pins a View loads a clock of at least this epoch. What died by then goes once
      // all who pinned one before have left.
      auto next = std::make_shared<const View>(view->generation);
      old_views_.push_back({view_, SteadyTime::Now()});
      view_ = std::move(next);
      purge_epoch_ = view->generation->LoadClock().epoch;
    }
  }
  view.reset();
  MutexLock lock(&view_mutex_);
  std::erase_if(old_views_, [](const OldView& old) { return old.view.expired(); });
  if (!old_views_.empty()) return nullptr;
  *epoch = purge_epoch_;
  purge_epoch_ = 0;
  return view_;
}

void CollectionImpl::Purge() {
  std::uint32_t epoch = 0;
  const std::shared_ptr<const View> view = AdvancePurge(&epoch);
  if (view == nullptr) {
    SyncPoints::Reached("purge.held");
    return;
  }
  if (epoch == 0) return;
  // Where the disk is nearly full what is left belongs to the store: its flushes, and commits that free space.
  if (!database_.CheckWritable().ok() || !database_.CheckSpace().ok() || dropped()) return;
  std::vector<DeadSlots> dead;
  {
    MutexLock purge(&view->generation->purge_mutex);
    auto& unpurged = view->generation->unpurged;
    const auto end = std::ranges::find_if(unpurged, [&](const DeadSlots& entry) { return entry.epoch > epoch; });
    std::move(unpurged.begin(), end, std::back_inserter(dead));
    unpurged.erase(unpurged.begin(), end);
  }
  SyncPoints::Reached("purge.before_write");
  // Of what published files know the deletes entry goes with the records, and is not read again. A generation that has
  // just taken the place of another may find the other's commit here: all of its own entries are later ones.
  const std::uint64_t published_seq = published_seq_.load(std::memory_order_acquire);
  for (DeadSlots& entry : dead) entry.is_published |= entry.commit_seq <= published_seq;
  std::uint64_t purged = 0;
  storage::StoreBatch batch;
  for (std::size_t i = 0; i < dead.size(); ++i) {
    for (const std::uint32_t slot : dead[i].slots) batch.PurgeSlot(view->generation->key, slot);
    if (dead[i].is_published) batch.RemoveDeletes(view->generation->key, dead[i].commit_seq);
    purged += dead[i].slots.size();
    if (batch.SizeBytes() / 32 < kPurgeSlots && i + 1 < dead.size()) continue;
    // Not synced: what a crash brings back is dead by its deletes entry, and is purged again.
    if (!database_.store().Write(&batch, false).ok()) {
      return ReturnUnpurged(*view->generation, std::move(dead));
    }
    batch = storage::StoreBatch();
  }
  NotePurged(*view->generation, dead);
  {
    MutexLock counters(&counters_mutex_);
    counters_.purged += purged;
  }
  SyncPoints::Reached("purge.after_write");
}

void CollectionImpl::ReturnUnpurged(const Generation& of, std::vector<DeadSlots> dead) {
  // The next purge tries all of it again: removing a slot twice does no harm.
  MutexLock lock(&view_mutex_);
  Generation& now = *view_->generation;
  if (now.key.generation != of.key.generation) return;  // its keys go as a whole
  for (DeadSlots& entry : dead) entry.epoch = std::min(entry.epoch, now.LoadClock().epoch);
  MutexLock purge(&now.purge_mutex);
  now.unpurged.insert(now.unpurged.begin(), std::make_move_iterator(dead.begin()), std::make_move_iterator(dead.end()));
}

void CollectionImpl::NotePurged(const Generation& of, const std::vector<DeadSlots>& dead) {
  MutexLock lock(&view_mutex_);
  Generation& now = *view_->generation;
  if (now.key.generation != of.key.generation) return;
  MutexLock purge(&now.purge_mutex);
  for (const DeadSlots& entry : dead) {
    if (!entry.is_published) now.purged_seqs.push_back(entry.commit_seq);
  }
}

bool CollectionImpl::EpochsAreDue(const Generation& generation) const {
  return generation.LoadClock().epoch >= Generation::kRenewEpoch &&
         !generation.verifying.load(std::memory_order_acquire);
}

Status CollectionImpl::CheckEpochs() const {
  if (writer_generation_->LoadClock().epoch < Generation::kLastEpoch) return OkStatus();
  return ResourceExhaustedError(StrCat("collection '", name_, "' has had ", Generation::kLastEpoch,
                                       " commits since it was loaded, and counting them anew in the background has not "
                                       "worked; close the database and open it again. Nothing was changed"));
}

void CollectionImpl::TakePlace(std::shared_ptr<Generation> renewed) {
  auto view = std::make_shared<const View>(renewed);
  MutexLock lock(&view_mutex_);
  old_views_.reserve(old_views_.size() + 1);
  // From here on nothing can fail. Readers of the old count hold on to records of the new one: the purge, which now
  // begins anew, waits for them.
  old_views_.push_back({view_, SteadyTime::Now()});
  purge_epoch_ = 0;
  view_ = std::move(view);
  writer_generation_->HandOver(renewed);
  writer_generation_ = std::move(renewed);
}

Status CollectionImpl::RenewEpochs() {
  SyncPoints::Reached("epochs.before_renewal");
  MutexLock publishing(&publish_mutex_);
  const PriorityLock linking(&link_mutex_);
  return database_.RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    if (!EpochsAreDue(*writer_generation_)) return OkStatus();
    try {
      TakePlace(writer_generation_->Renew());
    } catch (const std::bad_alloc&) {
      return ResourceExhaustedError("out of memory while commits were to be counted anew; nothing was changed");
    }
    SyncPoints::Reached("epochs.renewed");
    return OkStatus();
  });
}

}  // namespace vdb
