# cmake --install: libmosaic.so, the program, the headers, and a package for find_package(Mosaic).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
if(NOT TARGET mosaic_lib)
  return()
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Mosaic")
target_include_directories(mosaic_lib INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS mosaic_lib EXPORT MosaicTargets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET mosaic_cli)
  install(TARGETS mosaic_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  # The program looks for the library where it really is, lib or lib/x86_64-linux-gnu.
  set_property(TARGET mosaic_cli APPEND PROPERTY
               INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
endif()
foreach(include IN LISTS MOSAIC_PUBLIC_INCLUDES)
  if(EXISTS "${include}")
    install(DIRECTORY "${include}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  endif()
endforeach()
install(EXPORT MosaicTargets NAMESPACE Mosaic:: DESTINATION "${package_dir}")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/MosaicConfig.cmake.in" "${PROJECT_BINARY_DIR}/MosaicConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/MosaicConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/MosaicConfig.cmake"
              "${PROJECT_BINARY_DIR}/MosaicConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/FindLibTorch.cmake"
        DESTINATION "${package_dir}")
