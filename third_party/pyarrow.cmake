# Arrow's C++ libraries for reading Parquet, where `scripts/setup --parquet` fetched them. Sets MUONLAB_ARROW_ROOT, or
# nothing: a build without them cannot read Parquet, and says how to change that when it meets some.
include(${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake)
set(root "${MUONLAB_DEPS_DIR}/pyarrow-26.0.1")
if(EXISTS "${root}/.stamp")
  set(MUONLAB_ARROW_ROOT "${root}")
  message(STATUS "Parquet: yes, Arrow of pyarrow 26.0.1")
else()
  message(STATUS "Parquet: no (scripts/setup --parquet fetches what it takes)")
endif()
