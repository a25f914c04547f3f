# vdb::vdb from the build folder VDB_CORE of this source tree, instead of compiling it once more. The folder is brought
# up to date first, so that a reused core is never an old one.

cmake_path(ABSOLUTE_PATH VDB_CORE BASE_DIRECTORY ${PROJECT_SOURCE_DIR} NORMALIZE OUTPUT_VARIABLE VDB_CORE_DIR)
if(NOT EXISTS ${VDB_CORE_DIR}/CMakeCache.txt)
  message(FATAL_ERROR "VDB_CORE is ${VDB_CORE_DIR}: wanted the build folder of a configured vdb, e.g. build/release")
endif()
file(STRINGS ${VDB_CORE_DIR}/CMakeCache.txt VDB_CORE_HOME REGEX "^CMAKE_HOME_DIRECTORY:")
if(NOT VDB_CORE_HOME STREQUAL "CMAKE_HOME_DIRECTORY:INTERNAL=${PROJECT_SOURCE_DIR}")
  message(FATAL_ERROR "VDB_CORE is ${VDB_CORE_DIR}, built from another source tree: ${VDB_CORE_HOME}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} --build ${VDB_CORE_DIR} --target vdb COMMAND_ERROR_IS_FATAL ANY)

add_library(vdb STATIC IMPORTED GLOBAL)
add_library(vdb::vdb ALIAS vdb)
set_target_properties(vdb PROPERTIES IMPORTED_LOCATION ${VDB_CORE_DIR}/vdb/libvdb.a)
target_include_directories(vdb INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(vdb INTERFACE ${VDB_ROCKSDB} absl::flat_hash_map absl::flat_hash_set absl::strings absl::base
                                    PkgConfig::XXHASH PkgConfig::UTF8PROC Threads::Threads)
