# Finds LibTorch 2.11 and defines LibTorch::torch (CPU) and LibTorch::cuda.
#
# Looked for, in this order:
#   LibTorch_ROOT                    <root>/lib/libtorch_cpu.so
#   each folder of CMAKE_PREFIX_PATH, as the official archive (<prefix>/lib/libtorch_cpu.so), as a
#                                    site-packages folder (<prefix>/torch/lib), as a Python
#                                    environment (<prefix>/lib/python3.*/site-packages/torch/lib),
#                                    or as its share/cmake folder
#   the cache folder of scripts/setup.sh
# The wheel's own TorchConfig.cmake is not used: it demands a CUDA toolkit on every machine.

set(LibTorch_EXPECTED 2.11)
set(_cache "$ENV{MOSAIC_CACHE}")
if(NOT _cache)
  set(_cache "$ENV{XDG_CACHE_HOME}")
  if(NOT _cache)
    set(_cache "$ENV{HOME}/.cache")
  endif()
  string(APPEND _cache "/mosaic")
endif()

set(_prefixes ${CMAKE_PREFIX_PATH})
string(REPLACE ":" ";" _env_prefixes "$ENV{CMAKE_PREFIX_PATH}")
list(APPEND _prefixes ${_env_prefixes})
set(_candidates ${LibTorch_ROOT} $ENV{LibTorch_ROOT})
foreach(_prefix IN LISTS _prefixes)
  file(GLOB _python "${_prefix}/lib/python3.*/site-packages/torch")
  list(APPEND _candidates "${_prefix}" "${_prefix}/torch" "${_prefix}/../.." ${_python})
endforeach()
file(GLOB _cached "${_cache}/libtorch-${LibTorch_EXPECTED}.*/torch")
list(APPEND _candidates ${_cached})

# Reads the version that the headers in folder declare; empty where there are none.
function(_libtorch_version folder out)
  set(text "")
  foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(EXISTS "${folder}/include/${header}")
      file(STRINGS "${folder}/include/${header}" lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
      string(APPEND text "${lines}")
    endif()
  endforeach()
  if(text MATCHES "MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+)")
    set(${out} "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}" PARENT_SCOPE)
  else()
    set(${out} "" PARENT_SCOPE)
  endif()
endfunction()

set(_folder "")
set(_looked "")
foreach(_candidate IN LISTS _candidates)
  get_filename_component(_candidate "${_candidate}" ABSOLUTE)
  if(EXISTS "${_candidate}/lib/libtorch_cpu.so")
    set(_folder "${_candidate}")
    break()
  endif()
  string(APPEND _looked "\n    ${_candidate}/lib")
endforeach()

set(_problem "")
if(NOT _folder)
  set(_problem "LibTorch was not found. Expected: LibTorch ${LibTorch_EXPECTED}, with libtorch_cpu.so in one of${_looked}\n    ${_cache}/libtorch-${LibTorch_EXPECTED}.0/torch/lib")
else()
  _libtorch_version("${_folder}" LibTorch_VERSION)
  if(NOT LibTorch_VERSION)
    set(_problem "LibTorch in ${_folder} has no headers (include/torch/csrc/api/include/torch/version.h is missing). Expected: LibTorch ${LibTorch_EXPECTED} with its include folder")
  elseif(NOT LibTorch_VERSION MATCHES "^2\\.11\\.")
    set(_problem "LibTorch in ${_folder} is version ${LibTorch_VERSION}. Expected: ${LibTorch_EXPECTED}")
  endif()
endif()

if(_problem)
  set(LibTorch_FOUND FALSE)
  string(CONCAT _problem "${_problem}\n"
    "  What to do: run scripts/setup.sh, which fetches the right one, or add the folder of your own "
    "LibTorch ${LibTorch_EXPECTED} to CMAKE_PREFIX_PATH (-DCMAKE_PREFIX_PATH=...).")
  if(LibTorch_FIND_REQUIRED)
    message(FATAL_ERROR "${_problem}")
  elseif(NOT LibTorch_FIND_QUIETLY)
    message(STATUS "${_problem}")
  endif()
else()
  set(LibTorch_FOUND TRUE)
  set(LibTorch_FOLDER "${_folder}")
  set(LibTorch_LIBRARY_DIR "${_folder}/lib")
  set(LibTorch_INCLUDE_DIRS "${_folder}/include" "${_folder}/include/torch/csrc/api/include")
  if(NOT LibTorch_FIND_QUIETLY AND NOT TARGET LibTorch::torch)
    message(STATUS "Found LibTorch ${LibTorch_VERSION}: ${_folder}")
  endif()
endif()

if(LibTorch_FOUND AND NOT TARGET LibTorch::torch)
  foreach(_library c10 torch_cpu)
    add_library(LibTorch::${_library} SHARED IMPORTED)
    set_target_properties(LibTorch::${_library} PROPERTIES
      IMPORTED_LOCATION "${LibTorch_LIBRARY_DIR}/lib${_library}.so"
      INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIRS}"
      INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIRS}")
  endforeach()
  add_library(LibTorch::torch INTERFACE IMPORTED)
  target_link_libraries(LibTorch::torch INTERFACE LibTorch::torch_cpu LibTorch::c10)

  # The CUDA half registers itself when it is loaded, so the linker must not drop it; it loads
  # libraries (cuSPARSELt, NVSHMEM, cuFile) that need not be there to link.
  if(EXISTS "${LibTorch_LIBRARY_DIR}/libtorch_cuda.so")
    add_library(LibTorch::cuda INTERFACE IMPORTED)
    file(GLOB _cudart "${_folder}/../nvidia/cu13/lib/libcudart.so.13"
         "${_folder}/lib/libcudart*.so.13*" "/usr/local/cuda/lib64/libcudart.so.13")
    list(GET _cudart 0 _cudart)
    target_link_libraries(LibTorch::cuda INTERFACE LibTorch::torch
      "-Wl,--push-state,--no-as-needed"
      "${LibTorch_LIBRARY_DIR}/libtorch_cuda.so" "${LibTorch_LIBRARY_DIR}/libc10_cuda.so"
      "-Wl,--pop-state" "${_cudart}" "-Wl,--allow-shlib-undefined")
  endif()
endif()
