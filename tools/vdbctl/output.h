// What vdbctl prints: tables for people, JSON for programs.
//
// Thread safety: writes to stdout; one thread.
#ifndef VDB_TOOLS_VDBCTL_OUTPUT_H_
#define VDB_TOOLS_VDBCTL_OUTPUT_H_

#include <vdb/vdb.h>

#include <string>
#include <string_view>
#include <vector>

namespace vdb::tools {

// Columns as wide as their widest cell. Those behind the second share what is left of the terminal's width (100 where
// there is none) and are cut to it; ids are never cut.
void PrintTable(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows);

// text without control characters, which a terminal would obey: each becomes '?'.
std::string Printable(std::string_view text);

// text cut to `width` characters of UTF-8, with an ellipsis.
std::string Cut(std::string_view text, std::size_t width);

// Components as a JSON array.
std::string VectorJson(const std::vector<float>& vector);

// All JSON is on one line.
std::string RecordJson(const Record& record);
// fields: members of the payload to show; none: all.
std::string SearchResultJson(const SearchResult& result, const std::vector<std::string>& fields);
std::string ExplanationJson(const Explanation& explanation);
std::string FacetResultJson(const FacetResult& result);
std::string StatsJson(const CollectionStats& stats);

// "1.5 MB".
std::string Bytes(std::uint64_t bytes);
// "834 us", "12.3 ms".
std::string Micros(double us);

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDBCTL_OUTPUT_H_
