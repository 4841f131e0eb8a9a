# Installs the library as it was built, for find_package(runtime_sharing) and for pkg-config, with
# what its users must be told: a developer build brings its compiled Asio along, an instrumented one
# the flags of its instruments.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/runtime_sharing)
set(pkgconfig_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set_target_properties(runtime_sharing_dependencies PROPERTIES EXPORT_NAME dependencies)
set(installed_targets runtime_sharing runtime_sharing_dependencies)
set(pkgconfig_cflags -pthread ${instruments})
set(pkgconfig_libs -lruntime_sharing)
if(RUNTIME_SHARING_DEVELOPER_MODE)
  list(APPEND installed_targets asio_compiled)
  set_target_properties(asio_compiled PROPERTIES EXPORT_NAME asio OUTPUT_NAME runtime_sharing_asio)
  list(APPEND pkgconfig_cflags -DBOOST_ASIO_SEPARATE_COMPILATION)
  list(APPEND pkgconfig_libs -lruntime_sharing_asio)
endif()
# From 0.x to 0.y anything may change.
set_target_properties(${installed_targets} PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
list(APPEND pkgconfig_libs -lboost_thread -pthread ${instruments})
list(JOIN pkgconfig_cflags " " pkgconfig_cflags)
list(JOIN pkgconfig_libs " " pkgconfig_libs)
install(TARGETS ${installed_targets}
  EXPORT runtime_sharing
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT runtime_sharing
  NAMESPACE runtime_sharing::
  FILE runtime_sharingTargets.cmake
  DESTINATION ${package_folder})

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
