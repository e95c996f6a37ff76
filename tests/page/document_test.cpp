#include "muonlab/page/document.hpp"

#include <regex>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace muonlab::page {
namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

nlohmann::json data_of(const std::string& html) {
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const size_t start = html.find(open) + open.size();
  return nlohmann::json::parse(html.substr(start, html.find("</script>", start) - start));
}

std::string sample() {
  Document document("run </title><script>alert(1)</script>", "a & b");
  CurvePanel panel{.measures = {{.name = "loss"}},
                   .charts = {{.title = "</script><img src=x>", .series = {}}}};
  document.section("loss", "Loss",
                   document.curves("loss-curves", panel) + document.curves("more", panel));
  return document.html();
}

TEST(Document, NamesCannotBreakOutOfIt) {
  const std::string html = sample();
  EXPECT_TRUE(html.starts_with(kPageMark));
  EXPECT_EQ(html.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(count(html, "</script>"), 3u);  // data, dygraphs, ours
  EXPECT_EQ(count(html, "<!--"), count(html, "-->"));
  const nlohmann::json data = data_of(html);
  EXPECT_EQ(data["panels"]["loss-curves"]["charts"][0]["title"], "</script><img src=x>");
  EXPECT_TRUE(data["panels"].contains("more"));
  EXPECT_EQ(data["reload_s"], 0);
}

// Nothing is fetched: no element or style that names an address, no source map, and a policy that
// forbids it anyway.
TEST(Document, LoadsNothing) {
  const std::string html = sample();
  EXPECT_FALSE(std::regex_search(html, std::regex("(src|href)\\s*=\\s*[\"']?(https?:)?//")));
  for (const char* forbidden : {"@import", "url(", "sourceMappingURL"})
    EXPECT_EQ(html.find(forbidden), std::string::npos) << forbidden;
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
}

TEST(Document, KeepsTheLicenceOfWhatItEmbeds) {
  const std::string html = sample();
  EXPECT_NE(html.find("Dan Vanderkam"), std::string::npos);
  EXPECT_NE(html.find("THE SOFTWARE IS PROVIDED"), std::string::npos);
}

TEST(Document, ReloadsOnlyWhenAsked) {
  Document document("t", "");
  document.set_reload(4);
  EXPECT_EQ(data_of(document.html())["reload_s"], 4);
}

}  // namespace
}  // namespace muonlab::page
