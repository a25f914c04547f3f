// Changes to payloads as JSON texts.
//
// Thread safety: pure functions. Source: RFC 7396 (JSON Merge Patch).
#ifndef VDB_FIELDS_PAYLOAD_MERGE_H_
#define VDB_FIELDS_PAYLOAD_MERGE_H_

#include <vdb/status.h>

#include <string>
#include <string_view>

namespace vdb {

// patch's members over those of payload: null removes a member, objects are merged, everything else replaces. Both are
// JSON objects (empty: {}); members keep their order. InvalidArgument if one is none. Throws std::bad_alloc.
Result<std::string> MergePayload(std::string_view payload, std::string_view patch);

}  // namespace vdb

#endif  // VDB_FIELDS_PAYLOAD_MERGE_H_
