# A missing LibTorch and one of another version each end the configuration with advice.
set(work "${BUILD_DIR}/wrong-libtorch")
file(REMOVE_RECURSE "${work}")
file(WRITE "${work}/find.cmake"
  "set(LibTorch_FIND_REQUIRED TRUE)\ninclude(\"${FINDER}\")\n")

# expect(PREFIX TEXT...): finding LibTorch below PREFIX fails with each TEXT in the message.
function(expect prefix)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env MOSAIC_CACHE=${work}/no-cache CMAKE_PREFIX_PATH=
            ${CMAKE_COMMAND} -DCMAKE_PREFIX_PATH=${prefix} -P "${work}/find.cmake"
    RESULT_VARIABLE status ERROR_VARIABLE message OUTPUT_QUIET)
  string(REGEX REPLACE "[ \n]+" " " message "${message}")
  if(status EQUAL 0)
    message(FATAL_ERROR "no error for ${prefix}")
  endif()
  foreach(text IN LISTS ARGN)
    string(FIND "${message}" "${text}" at)
    if(at EQUAL -1)
      message(FATAL_ERROR "the message lacks '${text}':\n${message}")
    endif()
  endforeach()
endfunction()

expect("${work}/nothing" "LibTorch was not found" "Expected: LibTorch 2.11" "run scripts/setup.sh")

file(WRITE "${work}/old/lib/libtorch_cpu.so" "")
expect("${work}/old" "has no headers" "run scripts/setup.sh")

file(WRITE "${work}/old/include/torch/csrc/api/include/torch/version.h"
"#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 9\n#define TORCH_VERSION_PATCH 1\n")
expect("${work}/old" "is version 2.9.1" "Expected: 2.11" "run scripts/setup.sh")
