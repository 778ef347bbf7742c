# Third-party libraries. What all rooms share is in the target mosaic_base; the rest is named by the
# room that uses it (see each room's CMakeLists.txt).

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(SQLite3 REQUIRED)
find_package(TBB REQUIRED)
find_package(Pagmo REQUIRED)
find_package(CLI11 REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(xgboost REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET GLOBAL cpp-httplib)
pkg_check_modules(sentencepiece REQUIRED IMPORTED_TARGET GLOBAL sentencepiece)

# Flags, definitions and header libraries of every target. Definitions that a header reads must be
# the same everywhere, or two files see two versions of one class.
add_library(mosaic_base INTERFACE)
target_compile_options(mosaic_base INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Werror>)
target_link_libraries(mosaic_base INTERFACE
  Threads::Threads fmt::fmt spdlog::spdlog nlohmann_json::nlohmann_json tomlplusplus::tomlplusplus)

if(MOSAIC_TORCH)
  find_package(LibTorch REQUIRED)
  add_library(mosaic_torch INTERFACE)
  if(MOSAIC_CUDA_ON)
    find_package(CUDAToolkit REQUIRED)
    target_link_libraries(mosaic_torch INTERFACE LibTorch::cuda)
  else()
    target_link_libraries(mosaic_torch INTERFACE LibTorch::torch)
  endif()

  # The one precompiled torch header: made once, reused by every target that speaks torch.
  add_library(mosaic_torch_pch OBJECT EXCLUDE_FROM_ALL
              "${PROJECT_SOURCE_DIR}/cmake/pch/torch_pch.cpp")
  target_link_libraries(mosaic_torch_pch PRIVATE mosaic_base mosaic_torch)
  target_precompile_headers(mosaic_torch_pch PRIVATE
    <ATen/ATen.h> <algorithm> <cstdint> <filesystem> <functional> <map> <memory> <optional>
    <span> <string> <string_view> <unordered_map> <utility> <vector>)
endif()

# mosaic_use_torch(TARGET): torch headers and the precompiled torch header for TARGET.
function(mosaic_use_torch target)
  target_link_libraries(${target} PRIVATE mosaic_torch)
  target_precompile_headers(${target} REUSE_FROM mosaic_torch_pch)
endfunction()
