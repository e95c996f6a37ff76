# The program that reads Parquet, where Arrow is. It is no floor and links nothing of muonlab: Arrow and LibTorch never
# share a process.
if(MUONLAB_ARROW_ROOT)
  add_executable(muonlab_parquet ${PROJECT_SOURCE_DIR}/src/parquet/reader.cpp)
  set_target_properties(muonlab_parquet PROPERTIES OUTPUT_NAME muonlab-parquet)
  target_include_directories(muonlab_parquet SYSTEM PRIVATE ${MUONLAB_ARROW_ROOT}/include)
  target_link_libraries(muonlab_parquet PRIVATE
    ${MUONLAB_ARROW_ROOT}/lib/libparquet.so.2600 ${MUONLAB_ARROW_ROOT}/lib/libarrow.so.2600)
  target_compile_options(muonlab_parquet PRIVATE ${MUONLAB_WARNINGS})
  add_dependencies(muonlab muonlab_parquet)
  if(TARGET muonlab_data_tests)
    add_dependencies(muonlab_data_tests muonlab_parquet)
  endif()
endif()
