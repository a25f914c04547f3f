# Runs the example twice on one folder and reads its output.

foreach(run first second)
  if(run STREQUAL first)
    file(REMOVE_RECURSE "${FOLDER}")
  endif()
  execute_process(COMMAND "${PROGRAM}" "${FOLDER}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE error)
  if(NOT result EQUAL 0 OR NOT output MATCHES "^a/2  .*RocksDB is a log.*\na/1  .*HNSW.*\nP0 exact, exact, complete\n$")
    message(FATAL_ERROR "${run} run: ${result}\n${output}\n${error}")
  endif()
endforeach()
