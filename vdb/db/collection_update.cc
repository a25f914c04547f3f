// CollectionImpl: changes of payloads that keep the vectors, and the collection's document.

#include <vdb/limits.h>

#include <deque>
#include <mutex>
#include <shared_mutex>

#include "absl/container/flat_hash_map.h"
#include "vdb/db/collection_impl.h"
#include "vdb/db/commit_group.h"
#include "vdb/db/database_impl.h"
#include "vdb/db/store_payloads.h"
#include "vdb/db/validation.h"
#include "vdb/fields/payload_merge.h"
#include "vdb/fields/payload_parser.h"
#include "vdb/query/filter_program.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {

// The records that an update rewrites, with their new payloads, read in the commit queue: nothing changes meanwhile.
class CollectionImpl::UpdatedRecords {
 public:
  UpdatedRecords(const CollectionImpl& collection, UpdateMode mode) : collection_(collection), mode_(mode) {}

  // Applies a change to the record in `slot`; to what an earlier change made of it, if there was one.
  Status Change(std::uint32_t slot, std::string_view payload) {
    const auto [found, is_new] = by_slot_.try_emplace(slot, records_.size());
    if (is_new) {
      const Generation& generation = *collection_.writer_generation();
      VDB_ASSIGN_OR_RETURN(Record record, collection_.ReadRecord(generation, slot, true));
      bytes_ += record.id.size() + record.vector.size() * sizeof(float);
      records_.push_back(std::move(record));
    }
    std::string& text = records_[found->second].payload;
    if (!is_new) bytes_ -= text.size();
    if (mode_ == UpdateMode::kMerge) {
      VDB_ASSIGN_OR_RETURN(text, MergePayload(text, payload));
    } else {
      text = payload;
    }
    bytes_ += text.size();
    if (bytes_ <= kMaxBatchBytes) return OkStatus();
    return InvalidArgumentError(StrCat("the update rewrites more than ", kMaxBatchBytes,
                                       " bytes of records, the most for one atomic write; update fewer at a time"));
  }

  Status Prepare(std::vector<Mutation>* mutations) const {
    mutations->resize(records_.size());
    for (std::size_t i = 0; i < records_.size(); ++i) {
      const Record& record = records_[i];
      VDB_RETURN_IF_ERROR(collection_.PrepareUpsert({record.id, record.vector, record.payload, record.vector.empty()},
                                                    &(*mutations)[i]));
    }
    return OkStatus();
  }

  std::size_t size() const { return records_.size(); }

 private:
  const CollectionImpl& collection_;
  const UpdateMode mode_;
  std::deque<Record> records_;
  absl::flat_hash_map<std::uint32_t, std::size_t> by_slot_;
  std::size_t bytes_ = 0;
};

Result<std::uint64_t> CollectionImpl::RunUpdate(UpdateMode mode, Durability durability, const FindUpdates& find) {
  VDB_RETURN_IF_ERROR(database_.CheckWritable());
  std::uint64_t updated = 0;
  {
    const std::shared_lock<std::shared_mutex> writing(write_gate_);
    VDB_RETURN_IF_ERROR(database_.RunExclusive([&]() -> Status {
      VDB_RETURN_IF_ERROR(CheckUsable());
      UpdatedRecords records(*this, mode);
      VDB_RETURN_IF_ERROR(find(&records));
      updated = records.size();
      if (updated == 0) return OkStatus();
      CommitRequest request;
      request.durability = durability;
      VDB_RETURN_IF_ERROR(records.Prepare(&request.mutations));
      CommitRequest* const requests[] = {&request};
      CommitGroup(&database_, requests).Process();
      return request.status;
    }));
  }
  if (updated > 0) AfterCommit();
  return updated;
}

Result<std::uint64_t> CollectionImpl::Update(std::span<const PayloadUpdate> updates, UpdateMode mode,
                                             Durability durability) {
  VDB_RETURN_IF_ERROR(CheckUsable());
  PayloadParser parser;
  ParsedPayload parsed;
  for (const PayloadUpdate& update : updates) {
    VDB_RETURN_IF_ERROR(ValidateId(update.id));
    if (Status status = parser.Parse(update.payload, &parsed); !status.ok()) {
      return status.WithMessage(StrCat("record '", update.id, "': ", status.message()));
    }
  }
  return RunUpdate(mode, durability, [&](UpdatedRecords* records) -> Status {
    for (const PayloadUpdate& update : updates) {
      VDB_ASSIGN_OR_RETURN(const std::optional<std::uint32_t> slot,
                           database_.store().FindId(writer_generation_->key, update.id));
      if (slot) VDB_RETURN_IF_ERROR(records->Change(*slot, update.payload));
    }
    return OkStatus();
  });
}

Result<std::uint64_t> CollectionImpl::UpdateWhere(const Filter& filter, std::span<const Value> bind,
                                                  std::string_view payload, const UpdateOptions& options) {
  VDB_RETURN_IF_ERROR(CheckUsable());
  PayloadParser parser;
  ParsedPayload parsed;
  VDB_RETURN_IF_ERROR(parser.Parse(payload, &parsed));
  VDB_ASSIGN_OR_RETURN(const FilterNodePtr tree, BindFilter(filter, bind));
  return RunUpdate(options.mode, options.durability, [&](UpdatedRecords* records) -> Status {
    const Snapshot snapshot = TakeSnapshot();
    const Generation& generation = *snapshot.view->generation;
    const FilterProgram program = FilterProgram::Compile(tree, *generation.fields);
    StorePayloads payloads(database_.store(), generation.key);
    VDB_ASSIGN_OR_RETURN(const MatchSet matches, ComputeMatches(program, generation.deaths, snapshot.clock, payloads));
    Status status;
    matches.slots.ForEach([&](std::uint64_t slot) {
      if (status.ok()) status = records->Change(static_cast<std::uint32_t>(slot), payload);
    });
    return status;
  });
}

Status CollectionImpl::SetDocument(std::string_view json) {
  VDB_RETURN_IF_ERROR(CheckUsable());
  PayloadParser parser;
  ParsedPayload parsed;
  VDB_RETURN_IF_ERROR(parser.Parse(json, &parsed));
  if (json.size() > kMaxDocumentBytes) {
    return InvalidArgumentError(StrCat("the document has ", json.size(), " bytes; wanted at most ", kMaxDocumentBytes));
  }
  return database_.RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    VDB_RETURN_IF_ERROR(database_.CheckWritable());
    VDB_RETURN_IF_ERROR(database_.CheckSpace());
    VDB_RETURN_IF_ERROR(database_.CommitDocument(id_, json.empty() ? "{}" : json));
    KeepSchemaCopy();
    return OkStatus();
  });
}

Result<std::string> CollectionImpl::GetDocument() const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  return database_.store().GetDocument(id_);
}

}  // namespace vdb
