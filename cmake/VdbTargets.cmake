# One way to make each kind of target, so that language level, warnings and sanitizers are the same everywhere.

include(GNUInstallDirs)

# Compile and link options shared by every target of this project.
function(vdb_target_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  # -ffp-contract=off: one rounding per operation, so that a kernel gives the same distances wherever it runs.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -ffp-contract=off)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${target} PRIVATE -Wthread-safety)
  endif()
  if(VDB_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(VDB_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${VDB_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${VDB_SANITIZE})
  endif()
endfunction()

# vdb_layer(NAME SOURCES a.cc … DEPS other layers … LIBS foreign libraries …)
# A layer of the library: an object library vdb_NAME_objects (gathered into vdb::vdb) and a static library vdb_NAME
# that tests of this layer link, so that a layer that calls upward does not link.
function(vdb_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LIBS" ${ARGN})
  add_library(vdb_${name}_objects OBJECT ${ARG_SOURCES})
  vdb_target_defaults(vdb_${name}_objects)
  target_include_directories(vdb_${name}_objects PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(vdb_${name}_objects PRIVATE ${ARG_LIBS})

  add_library(vdb_${name} STATIC EXCLUDE_FROM_ALL)
  target_sources(vdb_${name} PRIVATE $<TARGET_OBJECTS:vdb_${name}_objects>)
  set_target_properties(vdb_${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(vdb_${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(vdb_${name} PUBLIC ${ARG_LIBS})
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(vdb_${name} PUBLIC vdb_${dep})
  endforeach()
endfunction()

# vdb_test(NAME SOURCES a.cc … LIBS … [TIMEOUT seconds] [LABELS …]): one gtest executable, one ctest entry.
function(vdb_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  vdb_target_defaults(${name})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  # Only what hangs should meet it: a slow machine under ThreadSanitizer takes fifty times as long as a fast one without.
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(VDB_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 4")
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
endfunction()
