# Installs the build, moves the installed tree, and builds and runs a program that finds it there; then the same program
# with vdb as a part of its own build, shared; then with that shared one installed. -DROOT=<checkout> -DBUILD=<its build> -DSCRATCH=<folder>
# -DCONSUMER_BUILD=<folder> and how the compiler is called: -DCOMPILER= -DLAUNCHER= -DFLAGS= -DGENERATOR=

cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    string(JOIN " " command ${ARGN})
    message(FATAL_ERROR "${command}: ${result}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# build_consumer(FOLDER options…)
function(build_consumer folder)
  run(${CMAKE_COMMAND} -S ${ROOT}/tests/install/consumer -B ${folder} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
      -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} "-DCMAKE_CXX_FLAGS=${FLAGS}" -DCMAKE_BUILD_TYPE=None ${ARGN})
  run(${CMAKE_COMMAND} --build ${folder})
  file(REMOVE_RECURSE ${SCRATCH}/database)
  run(${folder}/consumer ${SCRATCH}/database)
  if(NOT output STREQUAL "b 1\n")
    message(FATAL_ERROR "the consumer in ${folder} prints: ${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH}/first)
file(RENAME ${SCRATCH}/first ${SCRATCH}/prefix)

file(GLOB_RECURSE headers ${SCRATCH}/prefix/include/*)
list(LENGTH headers count)
if(count LESS 8)
  message(FATAL_ERROR "only ${count} headers are installed: ${headers}")
endif()
foreach(header IN LISTS headers)
  file(STRINGS ${header} lines REGEX "^ *# *include")
  foreach(line IN LISTS lines)
    if(line MATCHES "^#include <(vdb/[a-z_]+\\.h)>$")
      if(NOT EXISTS ${SCRATCH}/prefix/include/${CMAKE_MATCH_1})
        message(FATAL_ERROR "${header}: ${line}: not installed")
      endif()
    elseif(NOT line MATCHES "^#include <[a-z_]+>$")
      message(FATAL_ERROR "${header}: ${line}: wanted the standard library or vdb")
    endif()
  endforeach()
endforeach()

build_consumer(${SCRATCH}/installed -DCMAKE_PREFIX_PATH=${SCRATCH}/prefix)
build_consumer(${CONSUMER_BUILD} -DVDB_SOURCE=${ROOT} -DVDB_WERROR=ON -DVDB_INSTALL=ON -DBUILD_SHARED_LIBS=ON)
run(${CMAKE_COMMAND} --install ${CONSUMER_BUILD} --prefix ${SCRATCH}/shared)
build_consumer(${SCRATCH}/installed-shared -DCMAKE_PREFIX_PATH=${SCRATCH}/shared)
