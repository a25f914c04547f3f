# Installs vdb::vdb as a CMake package: find_package(vdb) and target_link_libraries(… vdb::vdb).

include(CMakePackageConfigHelpers)

set(VDB_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/vdb)
install(TARGETS vdb EXPORT vdbTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT vdbTargets NAMESPACE vdb:: DESTINATION ${VDB_CMAKE_DIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/vdbConfig.cmake.in ${PROJECT_BINARY_DIR}/vdbConfig.cmake
                              INSTALL_DESTINATION ${VDB_CMAKE_DIR})
# Before 1.0 a minor version may break its users.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vdbConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vdbConfig.cmake ${PROJECT_BINARY_DIR}/vdbConfigVersion.cmake
        DESTINATION ${VDB_CMAKE_DIR})
