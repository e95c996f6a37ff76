# muonlab::sentencepiece: the static libraries that scripts/setup built, symbols hidden.
include(${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake)
set(root "${MUONLAB_DEPS_DIR}/sentencepiece-0.2.1")
if(NOT EXISTS "${root}/lib/libsentencepiece_train.a")
  message(FATAL_ERROR "sentencepiece is not in ${root}.\nRun scripts/setup.")
endif()
set(MUONLAB_SENTENCEPIECE_LICENSE "${root}/include/LICENSE")
add_library(muonlab::sentencepiece STATIC IMPORTED)
set_target_properties(muonlab::sentencepiece PROPERTIES
  IMPORTED_LOCATION "${root}/lib/libsentencepiece_train.a"
  INTERFACE_INCLUDE_DIRECTORIES "${root}/include"
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${root}/include"
  INTERFACE_LINK_LIBRARIES "${root}/lib/libsentencepiece.a")
