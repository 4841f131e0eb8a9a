# Installs the library, for find_package(runtime_sharing) and for pkg-config.

# A developer build refers to an Asio that is compiled beside it and that nobody else has.
if(RUNTIME_SHARING_DEVELOPER_MODE)
  install(CODE [[message(FATAL_ERROR
    "A developer build cannot be installed: configure with -D RUNTIME_SHARING_DEVELOPER_MODE=OFF")]])
  return()
endif()

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/runtime_sharing)
set(pkgconfig_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set_target_properties(runtime_sharing_dependencies PROPERTIES EXPORT_NAME dependencies)
install(TARGETS runtime_sharing runtime_sharing_dependencies
  EXPORT runtime_sharing
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT runtime_sharing
  NAMESPACE runtime_sharing::
  FILE runtime_sharingTargets.cmake
  DESTINATION ${package_folder})

# From 0.x to 0.y anything may change.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/runtime_sharingConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
# The way from the folder of the .pc file back to the prefix: the installation may be moved.
file(RELATIVE_PATH prefix_from_pkgconfig /${pkgconfig_folder} /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/runtime_sharing.pc.in ${PROJECT_BINARY_DIR}/runtime_sharing.pc @ONLY)
install(
  FILES
    ${CMAKE_CURRENT_LIST_DIR}/runtime_sharingConfig.cmake
    ${PROJECT_BINARY_DIR}/runtime_sharingConfigVersion.cmake
  DESTINATION ${package_folder})
install(FILES ${PROJECT_BINARY_DIR}/runtime_sharing.pc DESTINATION ${pkgconfig_folder})
