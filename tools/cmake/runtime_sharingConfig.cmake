include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Boost 1.81 CONFIG COMPONENTS thread)
include(${CMAKE_CURRENT_LIST_DIR}/runtime_sharingTargets.cmake)
