// CollectionImpl: what happens to writes before they enter the commit queue.

#include <algorithm>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/db/store_payloads.h"
#include "vdb/db/validation.h"
#include "vdb/fields/payload_parser.h"
#include "vdb/query/filter_program.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {

Status CollectionImpl::PrepareUpsert(const RecordView& record, Mutation* mutation) const {
  VDB_RETURN_IF_ERROR(ValidateId(record.id));
  const auto name_record = [&](const Status& status) {
    return status.WithMessage(StrCat("record '", record.id, "': ", status.message()));
  };
  if (record.without_vector) {
    if (!record.vector.empty()) {
      return name_record(InvalidArgumentError("it is marked as without a vector and has one; wanted one or the other"));
    }
  } else if (Status status = ValidateVector(record.vector, options()); !status.ok()) {
    return name_record(status);
  }
  thread_local PayloadParser parser;
  if (Status status = parser.Parse(record.payload, &mutation->parsed); !status.ok()) return name_record(status);
  mutation->collection = const_cast<CollectionImpl*>(this);
  mutation->id = record.id;
  mutation->payload = record.payload;
  mutation->vector = record.vector;
  mutation->without_vector = record.without_vector;
  if (fixed_options_.metric == Metric::kCosine && !record.without_vector)
    mutation->normalised = Normalise(record.vector);
  return OkStatus();
}

Status CollectionImpl::FixDimension(std::size_t dim) {
  return database_.RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    VDB_RETURN_IF_ERROR(database_.CheckWritable());
    if (this->dim() == dim) return OkStatus();
    if (this->dim() != 0) {
      return InvalidArgumentError(
          StrCat("vector has ", dim, " components; this collection stores ", this->dim(), " since its first vector"));
    }
    VDB_RETURN_IF_ERROR(database_.CheckSpace());
    VectorFile* vectors = writer_generation_->vectors.get();
    VDB_RETURN_IF_ERROR(vectors->ReserveFor(writer_generation_->next_slot, dim));
    VDB_RETURN_IF_ERROR(database_.CommitDimension(*this, static_cast<std::uint32_t>(dim)));
    vectors->FixDimension(dim);
    dim_.store(dim, std::memory_order_release);
    KeepSchemaCopy();
    return OkStatus();
  });
}

Status CollectionImpl::PrepareDelete(std::string_view id, Mutation* mutation) const {
  VDB_RETURN_IF_ERROR(ValidateId(id));
  mutation->collection = const_cast<CollectionImpl*>(this);
  mutation->is_delete = true;
  mutation->id = id;
  return OkStatus();
}

Result<std::uint64_t> CollectionImpl::DeleteWhere(const Filter& filter, std::span<const Value> bind,
                                                  Durability durability) {
  VDB_ASSIGN_OR_RETURN(const FilterNodePtr tree, BindFilter(filter, bind));
  for (;;) {
    VDB_RETURN_IF_ERROR(CheckUsable());
    // The View stays pinned until the commit is done, so no slot of it is purged or renumbered meanwhile.
    const Snapshot snapshot = TakeSnapshot();
    const Generation& generation = *snapshot.view->generation;
    const FilterProgram program = FilterProgram::Compile(tree, *generation.fields);
    StorePayloads payloads(database_.store(), generation.key);
    VDB_ASSIGN_OR_RETURN(const MatchSet matches, ComputeMatches(program, generation.deaths, snapshot.clock, payloads));
    CommitRequest request;
    request.durability = durability;
    request.filter_delete = FilterDelete{.collection = this,
                                         .generation = &generation,
                                         .evaluated_end = snapshot.clock.committed,
                                         .slots = {},
                                         .filter = tree};
    matches.slots.ForEach(
        [&](std::uint64_t slot) { request.filter_delete->slots.push_back(static_cast<std::uint32_t>(slot)); });
    VDB_RETURN_IF_ERROR(database_.Commit(&request));
    if (!request.filter_delete->generation_changed) return request.removed;
  }
}

}  // namespace vdb
