// The text of a filter to its tree. The grammar stands in <vdb/filter.h>.
//
// Thread safety: a pure function.
#ifndef VDB_QUERY_FILTER_PARSER_H_
#define VDB_QUERY_FILTER_PARSER_H_

#include <vdb/status.h>

#include <string_view>

#include "vdb/query/filter_tree.h"

namespace vdb {

// The tree may hold parameters. Blank text gives TRUE.
// Errors: InvalidArgument "filter, column 12: expected …, found …" - column counts bytes from 1; more than
// kMaxFilterBytes; parentheses deeper than kMaxFilterDepth.
Result<FilterNodePtr> ParseFilter(std::string_view text);

}  // namespace vdb

#endif  // VDB_QUERY_FILTER_PARSER_H_
