# Run by MosaicBuildInfo.cmake with cmake -P.
execute_process(
  COMMAND git -C "${SOURCE_DIR}" describe --always --abbrev=12 --dirty --exclude=*
  OUTPUT_VARIABLE REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  set(REVISION unknown)
endif()
configure_file("${TEMPLATE}" "${OUTPUT}" @ONLY) # leaves an equal file as it is
