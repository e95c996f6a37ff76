#include "muonlab/page/html.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace muonlab::page {
namespace {

TEST(Html, TextCannotBecomeMarkup) {
  EXPECT_EQ(escape("<b a=\"x\" c='y'>&amp;</b>"),
            "&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;amp;&lt;/b&gt;");
  EXPECT_EQ(escape("µ ≥ 2"), "µ ≥ 2");
  EXPECT_EQ(escape("a\xffz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(escape("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");  // cut short
}

TEST(Html, JsonInAScriptEndsNoScript) {
  const std::string json = R"({"name":"</script><!-- <b>"})", safe = script_json(json);
  EXPECT_EQ(safe.find('<'), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(safe), nlohmann::json::parse(json));
}

TEST(Html, ATableAlignsNumbersAndCanScroll) {
  const std::vector<TableCell> head{{"run"}, {"loss", true}};
  const std::vector<std::vector<TableCell>> rows{{{"a"}, {"4.01", true}}};
  EXPECT_EQ(
      table("runs & losses", head, rows),
      "<div class=\"scroll\" tabindex=\"0\"><table>\n"
      "<caption class=\"unseen\">runs &amp; losses</caption>\n"
      "<thead><tr><th scope=\"col\">run</th><th scope=\"col\" class=\"n\">loss</th></tr></thead>\n"
      "<tbody>\n<tr><th scope=\"row\">a</th><td class=\"n\">4.01</td></tr>\n"
      "</tbody></table></div>\n");
}

}  // namespace
}  // namespace muonlab::page
