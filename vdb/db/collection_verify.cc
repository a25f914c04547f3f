// CollectionImpl: comparing everything that is stored with everything that is derived.

#include <bit>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/db/validation.h"
#include "vdb/fields/payload_parser.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {

Status CollectionImpl::VerifyVector(const Generation& generation, std::uint32_t slot) const {
  std::vector<float> vector;
  const Status read = database_.store().GetVector(generation.key, slot, &vector);
  if (generation.fields->without_vector().Test(slot)) {
    return read.ok() ? DataLossError("the columns say that it has no vector") : OkStatus();
  }
  VDB_RETURN_IF_ERROR(read);
  VDB_RETURN_IF_ERROR(ValidateVector(vector, options()));
  const std::vector<float> row = fixed_options_.metric == Metric::kCosine ? Normalise(vector) : vector;
  if (std::equal(row.begin(), row.end(), generation.vectors->view().row(slot))) return OkStatus();
  return DataLossError("the vector file has another vector");
}

// The View is pinned first, so that no record that the clock sees is purged while it is looked for.
Status CollectionImpl::Verify() const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  VDB_RETURN_IF_ERROR(database_.store().VerifyChecksums());
  const Snapshot snapshot = TakeSnapshot();
  const Generation& generation = *snapshot.view->generation;
  PayloadParser parser;
  ParsedPayload parsed;
  std::uint64_t live = 0;
  std::string id;
  std::string payload;
  for (std::uint64_t word = 0; word * 64 < snapshot.clock.committed; ++word) {
    for (std::uint64_t slots = generation.deaths.VisibleWord(word, snapshot.clock); slots != 0; slots &= slots - 1) {
      const auto slot = static_cast<std::uint32_t>(word * 64 + static_cast<std::uint64_t>(std::countr_zero(slots)));
      ++live;
      const Status read = database_.store().GetRecord(generation.key, slot, &id, &payload);
      if (!read.ok()) return DataLossError(StrCat("collection '", name_, "', slot ", slot, ": ", read.message()));
      const auto damaged = [&](std::string_view what) {
        return DataLossError(StrCat("collection '", name_, "', record '", id, "', slot ", slot, ": ", what));
      };
      if (generation.fields->ids().Get(slot) != id) return damaged("the id column has another id");
      if (!parser.Parse(payload, &parsed).ok()) return damaged("the payload is not valid");
      const Status row = VerifyVector(generation, slot);
      if (!row.ok()) return damaged(row.message());
      VDB_ASSIGN_OR_RETURN(const std::optional<std::uint32_t> found, database_.store().FindId(generation.key, id));
      // A later commit may have replaced or deleted the record by now; another slot below the clock may not hold it.
      if (found && *found != slot && *found < snapshot.clock.committed) return damaged("its id leads to another slot");
      // The store may be ahead of the clock: then a commit under way has deleted it, or the clock has moved by now.
      if (!found && !database_.in_flight().Find(generation.key, id) && generation.IsNewest(snapshot.clock)) {
        return damaged("its id leads nowhere");
      }
    }
  }
  // The counter first: it is stored after the clock, so the same clock behind it means the same commit.
  const std::uint64_t counted = generation.live.load(std::memory_order_acquire);
  if (generation.IsNewest(snapshot.clock) && live != counted) {
    return DataLossError(StrCat("collection '", name_, "' has ", live, " live records; its counters say ", counted));
  }
  return OkStatus();
}

}  // namespace vdb
