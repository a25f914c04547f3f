// CollectionImpl: scans on one state.

#include <algorithm>
#include <chrono>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/db/store_payloads.h"
#include "vdb/query/filter_program.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {

// Holds a View and a clock, by a lease: records that it sees are not purged. Reads go slot by slot, with no RocksDB
// snapshot.
class ScannerImpl {
 public:
  ScannerImpl(std::shared_ptr<DatabaseImpl> database, std::shared_ptr<const CollectionImpl> collection,
              std::shared_ptr<const ScanLease> lease, const ScanRequest& request)
      : database_(std::move(database)),
        collection_(std::move(collection)),
        lease_(std::move(lease)),
        id_prefix_(request.id_prefix),
        with_payload_(request.with_payload),
        with_vector_(request.with_vector) {}

  void SetMatches(MatchSet matches) { matches_ = std::move(matches); }

  Result<std::optional<Record>> Next() {
    const DatabaseImpl::Operation operation(database_.get());
    VDB_RETURN_IF_ERROR(operation.status());
    VDB_RETURN_IF_ERROR(collection_->CheckUsable());
    VDB_ASSIGN_OR_RETURN(const Snapshot snapshot, lease_->Use());
    const Generation& generation = *snapshot.view->generation;
    for (; next_ < snapshot.clock.committed; ++next_) {
      if (matches_ ? !matches_->slots.Test(next_) : !generation.deaths.IsVisible(next_, snapshot.clock)) continue;
      const std::string_view id = generation.fields->ids().Get(next_);
      if (!id.starts_with(id_prefix_)) continue;
      Record record;
      record.id = id;
      const storage::Store& store = database_->store();
      if (with_payload_) VDB_RETURN_IF_ERROR(store.GetRecord(generation.key, next_, nullptr, &record.payload));
      if (with_vector_) VDB_RETURN_IF_ERROR(collection_->ReadVector(generation, next_, &record.vector));
      ++next_;
      return std::optional<Record>(std::move(record));
    }
    return std::optional<Record>();
  }

 private:
  const std::shared_ptr<DatabaseImpl> database_;
  const std::shared_ptr<const CollectionImpl> collection_;
  const std::shared_ptr<const ScanLease> lease_;
  const std::string id_prefix_;
  const bool with_payload_;
  const bool with_vector_;
  std::optional<MatchSet> matches_;
  std::uint32_t next_ = 0;
};

Scanner::Scanner(std::unique_ptr<ScannerImpl> impl) : impl_(std::move(impl)) {}
Scanner::Scanner(Scanner&&) noexcept = default;
Scanner& Scanner::operator=(Scanner&&) noexcept = default;
Scanner::~Scanner() = default;
Result<std::optional<Record>> Scanner::Next() {
  return impl_->Next();
}

Result<Scanner> CollectionImpl::Scan(const ScanRequest& request, ScanMay may) const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  const Snapshot snapshot = TakeSnapshot();
  const auto lease = std::make_shared<ScanLease>(snapshot);
  if (may == ScanMay::kEndWhenOld) {
    MutexLock lock(&scans_mutex_);
    std::erase_if(scans_, [](const std::weak_ptr<ScanLease>& scan) { return scan.expired(); });
    scans_.push_back(lease);
  }
  auto scanner = std::make_unique<ScannerImpl>(database_.shared_from_this(), shared_from_this(), lease, request);
  if (!request.filter.matches_all()) {
    VDB_ASSIGN_OR_RETURN(const FilterProgram program, CompileFilter(request.filter, request.bind, snapshot));
    StorePayloads payloads(database_.store(), snapshot.view->generation->key);
    VDB_ASSIGN_OR_RETURN(MatchSet matches,
                         ComputeMatches(program, snapshot.view->generation->deaths, snapshot.clock, payloads));
    scanner->SetMatches(std::move(matches));
  }
  return Scanner(std::move(scanner));
}

std::vector<std::shared_ptr<ScanLease>> CollectionImpl::Scans() const {
  std::vector<std::shared_ptr<ScanLease>> scans;
  MutexLock lock(&scans_mutex_);
  for (const std::weak_ptr<ScanLease>& scan : scans_) {
    if (std::shared_ptr<ScanLease> held = scan.lock(); held != nullptr) scans.push_back(std::move(held));
  }
  return scans;
}

void CollectionImpl::EndOldScans() {
  std::shared_ptr<const View> current;
  bool for_purge = false;
  {
    MutexLock lock(&view_mutex_);
    current = view_;
    // Where no purge waits, a scan is only in the way of a generation that was replaced.
    for_purge = purge_epoch_ != 0;
  }
  for (const std::shared_ptr<ScanLease>& scan : Scans()) scan->EndIfOld(current, for_purge);
}

std::uint64_t CollectionImpl::OldestViewSeconds() const {
  std::chrono::seconds oldest{0};
  for (const std::shared_ptr<ScanLease>& scan : Scans()) {
    if (scan->is_held()) oldest = std::max(oldest, scan->Age());
  }
  // Other readers are known once they outlive the View that they work on: at least for so long.
  const SteadyTime::TimePoint now = SteadyTime::Now();
  MutexLock lock(&view_mutex_);
  for (const OldView& old : old_views_) {
    if (!old.view.expired())
      oldest = std::max(oldest, std::chrono::duration_cast<std::chrono::seconds>(now - old.since));
  }
  return static_cast<std::uint64_t>(oldest.count());
}

}  // namespace vdb
