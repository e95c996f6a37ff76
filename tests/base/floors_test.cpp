// The house rules that a compiler does not check: floors include only what they declare, LibTorch
// stays above `tensor`, files stay short.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = MUONLAB_SOURCE_DIR;

struct Floor {
  std::set<std::string> depends;
  bool torch = false;
};

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// muonlab_floor(NAME [TORCH] [BATCHES] [DEPENDS floors…] [LIBS targets…]) declarations of a CMake
// text.
std::map<std::string, Floor> floors_of(const std::string& cmake) {
  constexpr std::string_view kCall = "\nmuonlab_floor(";
  std::map<std::string, Floor> floors;
  const std::string text = "\n" + cmake;
  for (size_t at = 0; (at = text.find(kCall, at)) != std::string::npos;) {
    at += kCall.size();
    std::istringstream words(text.substr(at, text.find(')', at) - at));
    std::string name, word, section;
    words >> name;
    Floor& floor = floors[name];
    while (words >> word) {
      if (word == "TORCH") {
        floor.torch = true;
      } else if (word == "DEPENDS" || word == "LIBS") {
        section = word;
      } else if (section == "DEPENDS") {
        floor.depends.insert(word);
      }
    }
  }
  return floors;
}

std::vector<fs::path> sources_under(const fs::path& folder, const std::set<std::string>& endings) {
  std::vector<fs::path> found;
  if (!fs::exists(folder)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && endings.count(entry.path().extension().string()))
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> code_of(const std::string& floor) {
  const std::set<std::string> endings{".hpp", ".cpp", ".h", ".cu", ".cuh"};
  std::vector<fs::path> files = sources_under(kRoot / "src" / floor, endings);
  for (const fs::path& path : sources_under(kRoot / "include/muonlab" / floor, endings))
    files.push_back(path);
  return files;
}

std::vector<std::string> includes_of(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::string squeezed = line;
    std::erase_if(squeezed, [](char c) { return c == ' ' || c == '\t'; });
    if (!squeezed.starts_with("#include")) continue;
    const size_t open = squeezed.find_first_of("<\"");
    const size_t close = squeezed.find_last_of(">\"");
    if (open < close && close != std::string::npos) {
      found.push_back(squeezed.substr(open + 1, close - open - 1));
    }
  }
  return found;
}

bool is_torch_header(const std::string& name) {
  for (const char* prefix : {"ATen/", "torch/", "c10/", "caffe2/"}) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

// What a floor's file may not include: a reason, or nothing.
std::string objection(const std::string& include, const std::string& floor,
                      const std::map<std::string, Floor>& floors) {
  if (include == "torch/torch.h") return "torch/torch.h is never included";
  const Floor& own = floors.at(floor);
  if (!own.torch && is_torch_header(include)) return "LibTorch below the floor tensor";
  std::string other = include.starts_with("muonlab/") ? include.substr(8) : include;
  other = other.substr(0, other.find('/'));
  if (!floors.count(other) || other == floor) return "";
  if (!include.starts_with("muonlab/")) return "a private header of the floor " + other;
  return own.depends.count(other) ? "" : "the floor " + other + " is no declared dependency";
}

TEST(Floors, AreDeclaredFromTheGroundUp) {
  const std::string cmake = read(kRoot / "CMakeLists.txt");
  const std::map<std::string, Floor> floors = floors_of(cmake);
  ASSERT_TRUE(floors.count("base"));
  ASSERT_TRUE(floors.count("store"));
  EXPECT_TRUE(floors.at("base").depends.empty());
  for (const auto& [name, floor] : floors) {
    for (const std::string& below : floor.depends) {
      ASSERT_TRUE(floors.count(below)) << name << " depends on an unknown floor " << below;
      EXPECT_LT(cmake.find("muonlab_floor(" + below + " "),
                cmake.find("muonlab_floor(" + name + " "))
          << name;
      EXPECT_TRUE(floor.torch || !floors.at(below).torch)
          << name << " gets LibTorch through " << below;
    }
  }
}

TEST(Floors, EveryFolderIsAFloor) {
  const std::map<std::string, Floor> floors = floors_of(read(kRoot / "CMakeLists.txt"));
  for (const fs::path& folder : {kRoot / "src", kRoot / "include/muonlab"}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (!entry.is_directory() || fs::is_empty(entry.path())) continue;
      const auto name = entry.path().filename();
      if (name == "cuda" || name == "parquet") continue;  // a plugin, a program of its own
      EXPECT_TRUE(floors.count(entry.path().filename().string())) << entry.path();
    }
  }
}

TEST(Floors, NoIncludeClimbs) {
  const std::map<std::string, Floor> floors = floors_of(read(kRoot / "CMakeLists.txt"));
  size_t checked = 0;
  for (const auto& [name, floor] : floors) {
    for (const fs::path& path : code_of(name)) {
      for (const std::string& include : includes_of(read(path))) {
        EXPECT_EQ(objection(include, name, floors), "")
            << fs::relative(path, kRoot) << " includes " << include;
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 100u);
}

// The check itself must bite.
TEST(Floors, TheRulesRefuseWhatTheyShould) {
  const auto floors = floors_of(
      "muonlab_floor(base LIBS x)\nmuonlab_floor(store DEPENDS base LIBS tensor)\n"
      "muonlab_floor(tensor TORCH DEPENDS store\n  base)\n");
  ASSERT_EQ(floors.size(), 3u);
  EXPECT_EQ(objection("muonlab/base/file.hpp", "store", floors), "");
  EXPECT_EQ(objection("muonlab/store/x.hpp", "store", floors), "");
  EXPECT_EQ(objection("store/manifest.hpp", "store", floors), "");
  EXPECT_EQ(objection("ATen/ATen.h", "tensor", floors), "");
  EXPECT_EQ(objection("vector", "base", floors), "");
  EXPECT_NE(objection("muonlab/store/x.hpp", "base", floors), "");
  EXPECT_NE(objection("muonlab/tensor/x.hpp", "store", floors), "");
  EXPECT_NE(objection("store/manifest.hpp", "tensor", floors), "");
  EXPECT_NE(objection("ATen/ATen.h", "store", floors), "");
  EXPECT_NE(objection("c10/util/Half.h", "base", floors), "");
  EXPECT_NE(objection("torch/torch.h", "tensor", floors), "");
  EXPECT_EQ(includes_of("#include <a>\n  # include \"b/c.hpp\"\n// #include <d>\n"),
            (std::vector<std::string>{"a", "b/c.hpp"}));
}

// Files longer than the limit, each with the reason why it is not split.
const std::map<std::string, std::string> kLongFiles{};
constexpr long kMaxLines = 400;

TEST(Files, StayShort) {
  for (const char* folder : {"src", "include", "tests", "scripts"}) {
    for (const fs::path& path : sources_under(
             kRoot / folder, {".hpp", ".cpp", ".h", ".cu", ".cuh", ".cmake", ".py", ".sh", ""})) {
      const std::string text = read(path);
      const std::string name = fs::relative(path, kRoot).string();
      if (kLongFiles.count(name)) continue;
      EXPECT_LE(std::count(text.begin(), text.end(), '\n'), kMaxLines) << name;
    }
  }
}

// One noun a file: "X and Y" are two files.
TEST(Files, AreNamedWithoutAnd) {
  for (const char* folder : {"src", "include", "tests", "scripts"}) {
    for (const fs::path& path :
         sources_under(kRoot / folder, {".hpp", ".cpp", ".cu", ".cuh", ""})) {
      const std::string name = "_" + path.stem().string() + "_";
      EXPECT_EQ(name.find("_and_"), std::string::npos) << fs::relative(path, kRoot);
    }
  }
}

// Tests run side by side, so a path with a fixed name is another test's as well.
TEST(Files, TestsWriteIntoFoldersOfTheirOwn) {
  const std::string shared_folder = std::string("Temp") + "Dir()";
  for (const fs::path& path : sources_under(kRoot / "tests", {".hpp", ".cpp"})) {
    EXPECT_EQ(read(path).find(shared_folder), std::string::npos)
        << fs::relative(path, kRoot) << ": use base::TemporaryFolder";
  }
}

TEST(Files, ExceptionsAreStillNeeded) {
  for (const auto& [name, reason] : kLongFiles) {
    const std::string text = read(kRoot / name);
    EXPECT_FALSE(reason.empty());
    EXPECT_GT(std::count(text.begin(), text.end(), '\n'), kMaxLines)
        << name << " is short enough now";
  }
}

}  // namespace
