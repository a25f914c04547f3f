// CollectionImpl: facets.

#include <vdb/facets.h>

#include <optional>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/db/store_payloads.h"
#include "vdb/query/facets.h"
#include "vdb/query/filter_program.h"
#include "vdb/util/status_macros.h"

namespace vdb {

Result<FacetResult> CollectionImpl::Facets(const FacetRequest& request) const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  VDB_ASSIGN_OR_RETURN(const FieldPath path, FieldPath::Parse(request.path));
  const Snapshot snapshot = TakeSnapshot();
  const Generation& generation = *snapshot.view->generation;
  VDB_ASSIGN_OR_RETURN(const FilterProgram program, CompileFilter(request.filter, request.bind, snapshot));
  StorePayloads payloads(database_.store(), generation.key);
  std::optional<MatchSet> matches;
  if (!program.matches_all()) {
    VDB_ASSIGN_OR_RETURN(matches, ComputeMatches(program, generation.deaths, snapshot.clock, payloads));
  }
  const FacetScope scope{.index = *generation.fields,
                         .deaths = generation.deaths,
                         .clock = snapshot.clock,
                         .matches = matches ? &*matches : nullptr};
  VDB_ASSIGN_OR_RETURN(FacetResult result, ComputeFacets(path, scope, request.limit, payloads));
  if (matches) result.payloads_read += matches->payloads_read;
  return result;
}

}  // namespace vdb
