# mosaic_use_build_info(TARGET): lets TARGET include "mosaic/build_info.hpp", which holds version,
# git revision, build type and compiler. It is rewritten at each build, only where it changed.

set(MOSAIC_GENERATED_DIR "${PROJECT_BINARY_DIR}/generated")
set(MOSAIC_BUILD_INFO_COMMAND
  ${CMAKE_COMMAND} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
  -DBUILD_TYPE=${CMAKE_BUILD_TYPE} -DCUDA=${MOSAIC_CUDA_ON} -DTORCH=${MOSAIC_TORCH}
  -DCOMPILER=${CMAKE_CXX_COMPILER_ID}-${CMAKE_CXX_COMPILER_VERSION}
  -DTEMPLATE=${PROJECT_SOURCE_DIR}/cmake/build_info.hpp.in
  -DOUTPUT=${MOSAIC_GENERATED_DIR}/mosaic/build_info.hpp
  -P ${PROJECT_SOURCE_DIR}/cmake/WriteBuildInfo.cmake)
execute_process(COMMAND ${MOSAIC_BUILD_INFO_COMMAND} COMMAND_ERROR_IS_FATAL ANY)
add_custom_target(mosaic_build_info
  COMMAND ${MOSAIC_BUILD_INFO_COMMAND}
  BYPRODUCTS "${MOSAIC_GENERATED_DIR}/mosaic/build_info.hpp"
  COMMENT "Checking version and revision" VERBATIM)

function(mosaic_use_build_info target)
  target_include_directories(${target} PRIVATE "${MOSAIC_GENERATED_DIR}")
  add_dependencies(${target} mosaic_build_info)
endfunction()
