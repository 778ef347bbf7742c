# One shared library libmosaic.so of all rooms but cli, and the executable `mosaic`. Object files,
# not archives: everything that registers itself is linked, whether anybody names it or not.

get_property(objects GLOBAL PROPERTY MOSAIC_OBJECTS)
get_property(links GLOBAL PROPERTY MOSAIC_LINKS)
get_property(cli_objects GLOBAL PROPERTY MOSAIC_CLI_OBJECTS)
get_property(MOSAIC_BUILT_ROOMS GLOBAL PROPERTY MOSAIC_BUILT_ROOMS)
list(JOIN MOSAIC_BUILT_ROOMS " " MOSAIC_BUILT_ROOMS_TEXT)
list(REMOVE_DUPLICATES links)
if(MOSAIC_TORCH)
  list(APPEND links mosaic_torch)
endif()

# The include roots of all rooms, for those who may see everything: tests, benchmarks, examples.
set(MOSAIC_PUBLIC_INCLUDES "")
foreach(room IN LISTS MOSAIC_ALL_ROOMS)
  list(APPEND MOSAIC_PUBLIC_INCLUDES "${PROJECT_SOURCE_DIR}/${room}/include")
endforeach()

# $ORIGIN finds libmosaic.so beside or next door; the rest is where LibTorch lay at build time.
set(MOSAIC_RPATH "$ORIGIN;$ORIGIN/../lib")
if(MOSAIC_TORCH)
  list(APPEND MOSAIC_RPATH "${LibTorch_LIBRARY_DIR}")
endif()
function(mosaic_rpath target)
  set_target_properties(${target} PROPERTIES
    BUILD_RPATH "$ORIGIN;$ORIGIN/../lib" INSTALL_RPATH "${MOSAIC_RPATH}")
endfunction()

if(objects)
  add_library(mosaic_lib SHARED)
  foreach(object IN LISTS objects)
    target_sources(mosaic_lib PRIVATE $<TARGET_OBJECTS:${object}>)
  endforeach()
  target_link_libraries(mosaic_lib PRIVATE mosaic_base ${links})
  if(NOT MOSAIC_SANITIZE)
    target_link_options(mosaic_lib PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(mosaic_lib PROPERTIES
    OUTPUT_NAME mosaic EXPORT_NAME mosaic LINKER_LANGUAGE CXX
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_compile_features(mosaic_lib INTERFACE cxx_std_20)
  foreach(include IN LISTS MOSAIC_PUBLIC_INCLUDES)
    target_include_directories(mosaic_lib INTERFACE $<BUILD_INTERFACE:${include}>)
  endforeach()
  mosaic_rpath(mosaic_lib)
  add_library(Mosaic::mosaic ALIAS mosaic_lib)
endif()

# mosaic_link(TARGET): what a program that may see everything needs, apart from torch headers.
function(mosaic_link target)
  target_link_libraries(${target} PRIVATE mosaic_base mosaic_lib ${links})
  mosaic_rpath(${target})
endfunction()

if(TARGET mosaic_lib AND cli_objects AND EXISTS "${PROJECT_SOURCE_DIR}/cli/main.cpp")
  add_executable(mosaic_cli "${PROJECT_SOURCE_DIR}/cli/main.cpp")
  foreach(object IN LISTS cli_objects)
    target_sources(mosaic_cli PRIVATE $<TARGET_OBJECTS:${object}>)
  endforeach()
  target_include_directories(mosaic_cli PRIVATE "${PROJECT_SOURCE_DIR}/cli")
  mosaic_link(mosaic_cli)
  target_link_libraries(mosaic_cli PRIVATE CLI11::CLI11)
  mosaic_use_build_info(mosaic_cli)
  set_target_properties(mosaic_cli PROPERTIES OUTPUT_NAME mosaic LINKER_LANGUAGE CXX)
endif()
