# What `cmake --install` and cpack make (docs/install.md): a tree that can be moved.
#   bin/muonlab           finds its libraries and configurations by its own place
#   lib/muonlab/          LibTorch's CPU libraries, and zstd, xxHash, spdlog and fmt
#   share/muonlab/        configs/
#   share/man/man1/       the manual page, written by the program from its own help
#   share/doc/muonlab/    README.md, docs/, copyright, and the licences of what is inside
# The C and C++ libraries stay the system's. LibTorch's CUDA part needs gigabytes of NVIDIA's libraries and stays out, and
# so does the plugin: with MUONLAB_BUNDLE_LIBTORCH=OFF the program and the plugin use LibTorch where it is.
option(MUONLAB_BUNDLE_LIBTORCH "Install LibTorch's CPU libraries beside the program" ON)

# RPATH, not RUNPATH, so that it also serves the libraries that the bundled ones need.
target_link_options(muonlab PRIVATE -Wl,--disable-new-dtags)
if(MUONLAB_BUNDLE_LIBTORCH)
  set_target_properties(muonlab PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/muonlab")
  install(TARGETS muonlab
    RUNTIME_DEPENDENCIES
      PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|util|pthread|stdc\\+\\+|gcc_s)\\.so"
    RUNTIME DESTINATION bin LIBRARY DESTINATION lib/muonlab)
else()
  set_target_properties(muonlab PROPERTIES INSTALL_RPATH "${MUONLAB_TORCH_ROOT}/lib")
  install(TARGETS muonlab RUNTIME DESTINATION bin)
  if(TARGET muonlab_cuda_plugin)
    set_target_properties(muonlab_cuda_plugin PROPERTIES INSTALL_RPATH "${MUONLAB_TORCH_ROOT}/lib")
    install(TARGETS muonlab_cuda_plugin LIBRARY DESTINATION lib)
  endif()
endif()

install(DIRECTORY configs DESTINATION share/muonlab FILES_MATCHING PATTERN "*.json")
install(CODE "
  execute_process(COMMAND \"$<TARGET_FILE:muonlab>\" --man-page
    OUTPUT_FILE \"${PROJECT_BINARY_DIR}/muonlab.1\" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND gzip -9nf \"${PROJECT_BINARY_DIR}/muonlab.1\" COMMAND_ERROR_IS_FATAL ANY)")
install(FILES ${PROJECT_BINARY_DIR}/muonlab.1.gz DESTINATION share/man/man1)

set(doc share/doc/muonlab)
install(FILES README.md DESTINATION ${doc})
install(DIRECTORY docs DESTINATION ${doc} FILES_MATCHING PATTERN "*.md")
install(FILES LICENSE DESTINATION ${doc} RENAME copyright)
# The licences of libraries that are in the tree, as files or linked in.
foreach(package libzstd-dev libxxhash-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libcli11-dev)
  if(EXISTS /usr/share/doc/${package}/copyright)
    install(FILES /usr/share/doc/${package}/copyright DESTINATION ${doc}/licences RENAME ${package})
  endif()
endforeach()
install(FILES ${MUONLAB_DYGRAPHS_LICENSE} DESTINATION ${doc}/licences RENAME dygraphs)
install(FILES ${MUONLAB_SENTENCEPIECE_LICENSE} DESTINATION ${doc}/licences RENAME sentencepiece)
if(MUONLAB_BUNDLE_LIBTORCH)
  # Beside torch/ as pip lays them out, or inside a libtorch folder.
  file(GLOB folders ${MUONLAB_TORCH_ROOT}/../*.dist-info)
  foreach(folder ${folders})
    get_filename_component(name ${folder} NAME)
    string(REPLACE ".dist-info" "" name ${name})
    if(name MATCHES "^(torch|nvidia_cuda_runtime|nvidia_cuda_cupti)-" AND IS_DIRECTORY ${folder}/licenses)
      install(DIRECTORY ${folder}/licenses/ DESTINATION ${doc}/licences/${name})
    endif()
  endforeach()
endif()

set(CPACK_GENERATOR TZST DEB)
set(CPACK_PACKAGE_VENDOR "muonlab")
set(CPACK_PACKAGE_CONTACT "muonlab <muonlab@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "pretrain LLaMA-style language models and compare optimizers")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_THREADS 0)
string(TOLOWER "${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" platform)
set(CPACK_PACKAGE_FILE_NAME "muonlab-${PROJECT_VERSION}-${platform}")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${CPACK_PACKAGE_CONTACT}")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Trains models described in JSON files and answers which parameters of a transformer
should get which optimizer. LibTorch for the CPU is inside; Python is not needed.")
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
# What the files need of the system: the C and C++ libraries that they were built with, or newer ones.
set(depends "")
foreach(package libc6 libgcc-s1 libstdc++6)
  execute_process(COMMAND dpkg-query -W -f "\${Version}" ${package} OUTPUT_VARIABLE version ERROR_QUIET)
  if(version MATCHES "^([0-9]+:)?([0-9]+(\\.[0-9]+)*)")
    list(APPEND depends "${package} (>= ${CMAKE_MATCH_2})")
  endif()
endforeach()
list(JOIN depends ", " CPACK_DEBIAN_PACKAGE_DEPENDS)
include(CPack)
