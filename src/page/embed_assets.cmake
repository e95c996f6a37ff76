# The page's scripts and styles, as text in the library muonlab_page.
set(names dygraphs_js dygraphs_css dygraphs_license page_css tools_js paper_js panel_js page_js)
set(files ${MUONLAB_DYGRAPHS_JS} ${MUONLAB_DYGRAPHS_CSS} ${MUONLAB_DYGRAPHS_LICENSE}
  ${PROJECT_SOURCE_DIR}/src/page/assets/page.css ${PROJECT_SOURCE_DIR}/src/page/assets/tools.js
  ${PROJECT_SOURCE_DIR}/src/page/assets/paper.js ${PROJECT_SOURCE_DIR}/src/page/assets/panel.js
  ${PROJECT_SOURCE_DIR}/src/page/assets/page.js)
set(embedded ${PROJECT_BINARY_DIR}/page_assets.cpp)
add_custom_command(OUTPUT ${embedded}
  COMMAND ${CMAKE_COMMAND} "-DOUT=${embedded}" "-DNAMES=${names}" "-DFILES=${files}"
    -P ${PROJECT_SOURCE_DIR}/src/page/embed.cmake
  DEPENDS ${files} ${PROJECT_SOURCE_DIR}/src/page/embed.cmake VERBATIM)
target_sources(muonlab_page PRIVATE ${embedded})
