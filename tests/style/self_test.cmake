# The checks fail where they must: each bad sample, alone in an empty checkout, is reported.

cmake_minimum_required(VERSION 3.25)

function(expect_failure check path contents)
  set(sample "${SCRATCH}/sample")
  file(REMOVE_RECURSE "${sample}")
  file(WRITE "${sample}/${path}" "${contents}")
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${sample} -P ${ROOT}/tests/style/${check}.cmake
                  RESULT_VARIABLE result ERROR_VARIABLE error OUTPUT_QUIET)
  if(result EQUAL 0)
    message(FATAL_ERROR "${check} accepts ${path}: ${contents}")
  endif()
  if(NOT error MATCHES "${path}")
    message(FATAL_ERROR "${check} fails on ${path} without naming it: ${error}")
  endif()
endfunction()

expect_failure(layering vdb/index/a.cc "#include \"vdb/storage/store.h\"\n")
expect_failure(layering vdb/storage/a.cc "#include \"vdb/db/view.h\"\n")
expect_failure(layering vdb/db/a.cc "#include <rocksdb/db.h>\n")
expect_failure(layering vdb/index/b.cc "#include <hnswlib/hnswlib.h>\n")
expect_failure(layering include/vdb/a.h "#include \"absl/strings/str_cat.h\"\n")
expect_failure(layering tools/a.cc "#include \"vdb/db/view.h\"\n")
string(REPEAT "line\n" 501 long)
expect_failure(sizes vdb/db/a.cc "${long}")
expect_failure(sizes vdb/db/a.h "#ifndef A_H_\n#define A_H_\n#endif\n")
