# dygraphs, the charts of the report's page: Debian's libjs-dygraphs (MIT). The script, its style sheet and its licence
# become part of the program; the page needs no network.
find_file(MUONLAB_DYGRAPHS_JS dygraph.min.js PATHS /usr/share/javascript/dygraphs /usr/share/nodejs/dygraphs/dist)
find_file(MUONLAB_DYGRAPHS_CSS dygraph.min.css PATHS /usr/share/javascript/dygraphs /usr/share/nodejs/dygraphs/dist)
find_file(MUONLAB_DYGRAPHS_LICENSE NAMES copyright LICENSE.txt
  PATHS /usr/share/doc/libjs-dygraphs /usr/share/nodejs/dygraphs NO_DEFAULT_PATH)
foreach(file MUONLAB_DYGRAPHS_JS MUONLAB_DYGRAPHS_CSS MUONLAB_DYGRAPHS_LICENSE)
  if(NOT ${file})
    message(FATAL_ERROR "dygraphs is missing (${file}). Debian: apt-get install libjs-dygraphs; elsewhere name the "
      "files of its distribution: -DMUONLAB_DYGRAPHS_JS=…/dygraph.min.js -DMUONLAB_DYGRAPHS_CSS=…/dygraph.min.css "
      "-DMUONLAB_DYGRAPHS_LICENSE=…/LICENSE.txt")
  endif()
endforeach()
