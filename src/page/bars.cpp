#include "muonlab/page/bars.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/page/line_style.hpp"

namespace muonlab::page {
namespace {

using base::str;

constexpr double kMiddle = 14.5, kHalfBar = 7;  // px in a row of 29
// px: a drawing on a small screen, a character below it
constexpr double kNarrow = 100, kDigit = 6.5;

// A linear axis from low to high, in percent of the drawing's width.
struct Axis {
  double low = 0, high = 1, step = 1;

  std::string at(double value) const {
    return base::fixed(100 * (std::clamp(value, low, high) - low) / (high - low), 2) + "%";
  }
  bool holds(double value) const { return value >= low && value <= high; }
};

double nice_step(double span) {
  const double raw = span / 4, power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}

// The longest bars or marks, fewer than half of them, that are more than four times as long as all
// the others would make these too short to compare: the length that is drawn instead.
double longest_drawn(const std::vector<Bar>& bars) {
  std::vector<double> lengths;
  for (const Bar& bar : bars) {
    for (const std::optional<double>& end : {bar.value, bar.mark}) {
      if (end && std::isfinite(*end)) lengths.push_back(std::abs(*end));
    }
  }
  std::sort(lengths.rbegin(), lengths.rend());
  for (size_t i = (std::max<size_t>(lengths.size(), 1) - 1) / 2; i > 0; --i) {
    if (lengths[i] > 0 && lengths[i - 1] > 4 * lengths[i]) return 1.5 * lengths[i];
  }
  return std::numeric_limits<double>::infinity();
}

// Holds zero, the bars and the marks but for their longest ones, and the intervals as far as they
// reach no more than the bars' own span beyond.
Axis axis_of(const std::vector<Bar>& bars) {
  double low = 0, high = 0;
  const double longest = longest_drawn(bars);
  const auto take = [&](double value) {
    if (!std::isfinite(value)) return;
    value = std::clamp(value, -longest, longest);
    low = std::min(low, value);
    high = std::max(high, value);
  };
  for (const Bar& bar : bars) {
    if (bar.value) take(*bar.value);
    if (bar.mark) take(*bar.mark);
  }
  const double span = std::max(high - low, 1e-12), least = low - 0.5 * span,
               most = high + 0.5 * span;
  for (const Bar& bar : bars) {
    if (!bar.interval) continue;
    take(std::max(bar.interval->first, least));
    take(std::min(bar.interval->second, most));
  }
  if (high - low < 1e-12) high = low + 1;
  const double room = 0.02 * (high - low);
  return {low < 0 ? low - room : low, high > 0 ? high + room : high, nice_step(high - low)};
}

std::string line(const std::string& x1, const std::string& x2, double y1, double y2,
                 const std::string& stroke, double width) {
  return str("<line x1=\"", x1, "\" x2=\"", x2, "\" y1=\"", y1, "\" y2=\"", y2, "\" stroke=\"",
             stroke, "\" stroke-width=\"", width, "\"/>");
}

std::string grid(const Axis& axis, double height) {
  std::string text;
  for (double tick = std::ceil(axis.low / axis.step) * axis.step; tick <= axis.high;
       tick += axis.step) {
    const bool zero = std::abs(tick) < axis.step / 2;
    text += line(axis.at(tick), axis.at(tick), 0, height, zero ? "var(--muted)" : "var(--line)", 1);
  }
  return text;
}

constexpr const char* kDiamond = "M0 -6L6 0L0 6L-6 0Z";

// A shape of fixed size around an abscissa in percent.
std::string symbol(const std::string& x, const char* path, const std::string& fill,
                   const std::string& stroke) {
  return str("<svg x=\"", x, "\" y=\"", kMiddle,
             "\" width=\"1\" height=\"1\" style=\"width:1px;height:1px\"><path d=\"", path,
             "\" fill=\"", fill, "\" stroke=\"", stroke, "\" stroke-width=\"1.5\"/></svg>");
}

// Marks that a bar or an interval continues beyond the drawing.
std::string arrow(const Axis& axis, double end) {
  const char* path = end > axis.high ? "M2 0L-6 -5L-6 5Z" : "M-2 0L6 -5L6 5Z";
  return symbol(axis.at(end), path, "var(--ink)", "var(--ink)");
}

// A line over the interval: a bar across at an end that the axis holds, an arrow at one beyond it.
std::string whisker(const Axis& axis, const std::pair<double, double>& interval) {
  const std::string ink = "var(--ink)";
  std::string text =
      line(axis.at(interval.first), axis.at(interval.second), kMiddle, kMiddle, ink, 1.5);
  for (const double end : {interval.first, interval.second}) {
    text += axis.holds(end) ? line(axis.at(end), axis.at(end), kMiddle - 4, kMiddle + 4, ink, 1.5)
                            : arrow(axis, end);
  }
  return text;
}

// "interval from −9 % to beyond the drawing; the paper 53 %"
std::string spoken(const BarChart& chart, const Axis& axis, const Bar& bar) {
  const auto number = [&](double value) {
    if (!axis.holds(value)) return std::string("beyond the drawing");
    return (value < 0 ? "−" : "") + base::significant(std::abs(value), 3) + chart.unit;
  };
  std::vector<std::string> parts;
  if (bar.value) parts.push_back("bar to " + number(*bar.value));
  if (bar.value && bar.interval) {
    parts.push_back(base::str(chart.interval_name, " from ", number(bar.interval->first), " to ",
                              number(bar.interval->second)));
  }
  if (bar.mark) parts.push_back(chart.mark_name + " " + number(*bar.mark));
  return parts.empty() ? "no bar" : base::join(parts, "; ");
}

std::string drawing(const BarChart& chart, const Axis& axis, const Bar& bar) {
  std::string text = grid(axis, 29);
  if (bar.value) {
    const double left = std::min(0.0, *bar.value), right = std::max(0.0, *bar.value);
    const double width =
        100 * (std::min(right, axis.high) - std::max(left, axis.low)) / (axis.high - axis.low);
    text += str("<rect x=\"", axis.at(left), "\" y=\"", kMiddle - kHalfBar, "\" width=\"",
                base::fixed(width, 2), "%\" height=\"", 2 * kHalfBar, "\" rx=\"2\" fill=\"",
                colour(bar.colour), "\"", bar.marker ? " fill-opacity=\"0.6\"" : "", "/>");
    if (bar.interval) text += whisker(axis, *bar.interval);
    if (!axis.holds(*bar.value)) text += arrow(axis, *bar.value);
  }
  if (bar.mark) text += symbol(axis.at(*bar.mark), kDiamond, "var(--bg)", "var(--ink)");
  return str("<svg role=\"img\" aria-label=\"", escape(spoken(chart, axis, bar)), "\">", text,
             "</svg>");
}

// "−500 %"
std::string tick_label(int64_t tick, const Axis& axis, const std::string& unit) {
  return (tick < 0 ? "−" : "") +
         base::significant(static_cast<double>(std::abs(tick)) * axis.step, 6) + unit;
}

// At every tick, or at every second, fourth, … where labels would touch in a narrow drawing; but at
// two at least, since a scale needs two.
std::string ticks(const Axis& axis, const std::string& unit) {
  const auto first = static_cast<int64_t>(std::ceil(axis.low / axis.step));
  const auto last = static_cast<int64_t>(std::floor(axis.high / axis.step));
  const size_t longest = std::max(base::display_width(tick_label(first, axis, unit)),
                                  base::display_width(tick_label(last, axis, unit)));
  const double spacing = kNarrow * axis.step / (axis.high - axis.low);
  int64_t every = 1;
  while (static_cast<double>(every) * spacing < kDigit * static_cast<double>(longest + 1))
    every *= 2;
  std::vector<int64_t> labelled;
  for (int64_t tick = first; tick <= last; ++tick) {
    if (tick % every == 0) labelled.push_back(tick);
  }
  if (labelled.size() < 2) labelled = {first, last};
  std::string text = "<svg aria-hidden=\"true\">";
  for (const int64_t tick : labelled) {
    text += str("<text text-anchor=\"middle\" y=\"14\" x=\"",
                axis.at(static_cast<double>(tick) * axis.step), "\">",
                escape(tick_label(tick, axis, unit)), "</text>");
  }
  return text + "</svg>";
}

std::string key(const BarChart& chart, const Axis& axis) {
  std::string text;
  const bool whiskers = std::any_of(chart.bars.begin(), chart.bars.end(),
                                    [](const Bar& bar) { return bar.interval.has_value(); });
  const bool marks = std::any_of(chart.bars.begin(), chart.bars.end(),
                                 [](const Bar& bar) { return bar.mark.has_value(); });
  if (whiskers) {
    text +=
        str("<span><svg aria-hidden=\"true\">", line("1", "25", 6, 6, "var(--ink)", 1.5),
            line("1", "1", 2, 10, "var(--ink)", 1.5), line("25", "25", 2, 10, "var(--ink)", 1.5),
            "</svg>", escape(chart.interval_name), "</span>");
  }
  const bool arrows = std::any_of(chart.bars.begin(), chart.bars.end(), [&](const Bar& bar) {
    return bar.value && bar.interval &&
           !(axis.holds(bar.interval->first) && axis.holds(bar.interval->second));
  });
  if (arrows) text += "<span>▸ it continues beyond the drawing</span>";
  if (marks) {
    text +=
        str("<span><svg aria-hidden=\"true\" style=\"width:13px\"><path d=\"M6.5 0L12.5 6L6.5 "
            "12L.5 6Z\" fill=\"var(--bg)\" "
            "stroke=\"var(--ink)\" "
            "stroke-width=\"1.5\"/></svg>",
            escape(chart.mark_name), "</span>");
  }
  return text.empty() ? "" : "<p class=\"key\">" + text + "</p>\n";
}

}  // namespace

std::string bar_chart(const BarChart& chart) {
  const Axis axis = axis_of(chart.bars);
  std::string text =
      str("<div class=\"bars\" role=\"list\" aria-label=\"", escape(chart.name), "\">\n");
  for (const Bar& bar : chart.bars) {
    text += str("<div class=\"row\" role=\"listitem\"><span>", line_sample(bar.colour, bar.marker),
                escape(bar.label), "</span>", drawing(chart, axis, bar), "<span class=\"value\">",
                bar.text, "</span></div>\n");
  }
  return text + "<div class=\"row axis\" aria-hidden=\"true\"><span></span>" +
         ticks(axis, chart.unit) + "<span></span></div>\n</div>\n" + key(chart, axis);
}

}  // namespace muonlab::page
