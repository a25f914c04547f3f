// Text without regard to case: Unicode's simple case folding, one character to one character.
//
// Thread safety: pure functions. Source: Unicode, CaseFolding.txt, statuses C and S; the tables are utf8proc's.
#ifndef VDB_QUERY_CASE_FOLD_H_
#define VDB_QUERY_CASE_FOLD_H_

#include <string>
#include <string_view>

namespace vdb {

// Makes *out the text with each character folded. Bytes that are no UTF-8 stay as they are. No
// normalisation: a precomposed letter and its letter with an accent after it stay different.
void FoldCase(std::string_view text, std::string* out);

}  // namespace vdb

#endif  // VDB_QUERY_CASE_FOLD_H_
