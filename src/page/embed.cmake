# cmake -DOUT=FILE.cpp -DNAMES=a;b -DFILES=x;y -P embed.cmake: texts as constants muonlab::page::asset::a, … of src/page/assets.hpp.
set(source "// Made by src/page/embed.cmake.\n#include \"page/assets.hpp\"\n\nnamespace muonlab::page::asset {\n")
foreach(name file IN ZIP_LISTS NAMES FILES)
  file(READ "${file}" text)
  if(text MATCHES "\\)muonlab_asset\"")
    message(FATAL_ERROR "${file} holds the mark that ends the constant")
  endif()
  # Nothing loads the source map, and a page that names one asks for it.
  string(REGEX REPLACE "(//|/\\*)# sourceMappingURL=[^\n]*" "" text "${text}")
  string(APPEND source "const std::string_view ${name} = R\"muonlab_asset(${text})muonlab_asset\";\n")
endforeach()
string(APPEND source "}  // namespace muonlab::page::asset\n")
file(WRITE "${OUT}" "${source}")
