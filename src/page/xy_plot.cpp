#include "muonlab/page/xy_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <tuple>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/page/line_style.hpp"

namespace muonlab::page {
namespace {

using base::fixed;
using base::str;

constexpr double kSide = 1000;  // of the SVG's coordinates, both ways
constexpr std::array<double, 3> kMarkerSize{0, 7, 6};

struct Tick {
  double at;  // share of the axis
  std::string html;
};

std::string power_of_ten(double factor, int exponent) {
  if (exponent >= -3 && exponent <= 4) return base::significant(factor * std::pow(10, exponent), 6);
  return str(factor == 1 ? "" : base::significant(factor, 3) + "·", "10<sup>",
             exponent < 0 ? "−" : "", std::abs(exponent), "</sup>");
}

class Scale {
 public:
  Scale(const XyAxis& axis, double low, double high) : log_(axis.log) {
    if (axis.range) std::tie(low, high) = *axis.range;
    low_ = map(low);
    high_ = map(high);
    if (!std::isfinite(low_) || !std::isfinite(high_)) low_ = 0, high_ = 1;
    const double least = log_ ? 0.02 : 1e-12 * std::max(1.0, std::abs(low_));
    if (high_ - low_ < least) {
      const double room = log_ ? 0.5 : std::max(0.5, std::abs(low_) * 0.1);
      low_ -= room;
      high_ += room;
    } else if (!axis.range) {
      const double room = 0.03 * (high_ - low_);
      if (log_ || low_ != 0) low_ -= room;
      high_ += room;
    }
  }

  // Share of the axis; not finite for a gap.
  double at(double value) const { return (map(value) - low_) / (high_ - low_); }

  std::vector<Tick> ticks() const { return log_ ? log_ticks() : linear_ticks(); }

 private:
  double map(double value) const {
    if (!log_) return value;
    return value > 0 ? std::log10(value) : std::numeric_limits<double>::quiet_NaN();
  }

  std::vector<Tick> linear_ticks() const {
    const double raw = (high_ - low_) / 5, power = std::pow(10, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (double factor : {5.0, 2.5, 2.0, 1.0}) {
      if (factor * power >= raw) step = factor * power;
    }
    std::vector<Tick> ticks;
    for (double i = std::ceil(low_ / step); i * step <= high_; ++i)
      ticks.push_back({(i * step - low_) / (high_ - low_),
                       base::significant(i == 0 ? 0.0 : i * step, 6)});  // not -0
    return ticks;
  }

  std::vector<Tick> log_ticks() const {
    const double decades = high_ - low_;
    const int step = std::max(1, static_cast<int>(std::ceil(decades / 7)));
    std::vector<double> factors{1};
    if (decades < 2.2) factors = {1, 2, 5};
    if (decades < 0.7) factors = {1, 1.5, 2, 3, 4, 5, 6, 8};
    std::vector<Tick> ticks;
    for (int e = static_cast<int>(std::floor(low_)); e <= static_cast<int>(std::ceil(high_)); ++e) {
      if (e % step != 0) continue;
      for (double factor : factors) {
        const double at = (e + std::log10(factor) - low_) / decades;
        if (at >= 0 && at <= 1) ticks.push_back({at, power_of_ten(factor, e)});
      }
    }
    if (ticks.size() >= 2) return ticks;
    // Less than an octave or so: round numbers that are equally far from each other.
    const double low = std::pow(10, low_), high = std::pow(10, high_);
    const double power = std::pow(10, std::floor(std::log10((high - low) / 3)));
    const double factor = (high - low) / 3 / power;
    const double gap = power * (factor < 2 ? 1 : factor < 5 ? 2 : 5);
    ticks.clear();
    for (double i = std::ceil(low / gap); i * gap <= high; ++i)
      ticks.push_back({(std::log10(i * gap) - low_) / decades, base::significant(i * gap, 6)});
    return ticks;
  }

  bool log_;
  double low_, high_;
};

Scale scale_of(const XyPlot& plot, const XyAxis& axis,
               std::initializer_list<std::vector<double> XySeries::*> values) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const XySeries& series : plot.series) {
    if (series.guide) continue;
    for (const auto member : values) {
      for (double value : series.*member) {
        if (!std::isfinite(value) || (axis.log && value <= 0)) continue;
        low = std::min(low, value);
        high = std::max(high, value);
      }
    }
  }
  return {axis, low, high};
}

std::string path(const std::string& d, const std::string& stroke, double width,
                 const std::string& more) {
  if (d.empty()) return "";
  return str("<path d=\"", d, "\" fill=\"none\" stroke=\"", stroke, "\" stroke-width=\"", width,
             "\"", more, " vector-effect=\"non-scaling-stroke\"/>");
}

std::string drawn(const XySeries& series, const Scale& x, const Scale& y) {
  base::check(series.x.size() == series.y.size(), "a plot's abscissae and ordinates are pairs");
  base::check(series.low.size() == series.high.size() &&
                  (series.low.empty() || series.low.size() == series.x.size()),
              "a plot's error bars are as many as its points");
  base::check(series.marker >= 0 && series.marker < 3, "a marker of a plot");
  std::string line, dots, bars;
  bool pen = false;
  for (size_t i = 0; i < series.x.size(); ++i) {
    const double across = x.at(series.x[i]), down = 1 - y.at(series.y[i]);
    // Far outside the drawing counts as a gap: browsers draw wrongly there.
    if (!std::isfinite(across) || !std::isfinite(down) || std::abs(across) > 50 ||
        std::abs(down) > 50) {
      pen = false;
      continue;
    }
    const std::string point = fixed(kSide * across, 1) + " " + fixed(kSide * down, 1);
    line += str(pen ? "L" : "M", point);
    dots += str("M", point, "h0");
    pen = true;
    if (series.low.empty()) continue;
    const double from = 1 - y.at(series.low[i]), to = 1 - y.at(series.high[i]);
    if (std::isfinite(from) && std::isfinite(to) && std::abs(from) < 50 && std::abs(to) < 50) {
      bars += str("M", fixed(kSide * across, 1), " ", fixed(kSide * from, 1), "V",
                  fixed(kSide * to, 1));
    }
  }
  const std::string stroke = series.guide ? "var(--muted)" : colour(series.colour);
  const std::string pattern = series.guide ? "2,4" : dash_pattern(series.colour);
  std::string out;
  if (series.line) {
    out += path(line, stroke, series.guide ? 1.3 : 2,
                pattern.empty() ? "" : " stroke-dasharray=\"" + pattern + "\"");
  }
  out += path(bars, stroke, 1.2, "");
  if (series.marker > 0) {
    out += path(dots, stroke, kMarkerSize[static_cast<size_t>(series.marker)],
                series.marker == 1 ? " stroke-linecap=\"round\"" : " stroke-linecap=\"square\"");
  }
  return out;
}

std::string sample(const XySeries& series) {
  if (!series.guide && series.line) return line_sample(series.colour, series.marker);
  if (series.guide) {
    return "<svg class=\"sample\" aria-hidden=\"true\"><line x1=\"0\" x2=\"26\" y1=\"5\" y2=\"5\" "
           "stroke=\"var(--muted)\" stroke-width=\"1.3\" stroke-dasharray=\"2,4\"/></svg>";
  }
  return str("<svg class=\"sample\" aria-hidden=\"true\"><path d=\"M13 5h0\" stroke=\"",
             colour(series.colour), "\" stroke-width=\"7\" stroke-linecap=\"",
             series.marker == 2 ? "square" : "round", "\"/></svg>");
}

}  // namespace

std::string xy_plot(const XyPlot& plot) {
  const Scale x = scale_of(plot, plot.x, {&XySeries::x}),
              y = scale_of(plot, plot.y, {&XySeries::y, &XySeries::low, &XySeries::high});
  std::string lines, across, down, key;
  for (const Tick& tick : x.ticks()) {
    lines += path(str("M", fixed(kSide * tick.at, 1), " 0V", kSide), "var(--line)", 1, "");
    across += str("<span style=\"left:", fixed(100 * tick.at, 2), "%\">", tick.html, "</span>");
  }
  for (const Tick& tick : y.ticks()) {
    lines += path(str("M0 ", fixed(kSide * (1 - tick.at), 1), "H", kSide), "var(--line)", 1, "");
    down += str("<span style=\"top:", fixed(100 * (1 - tick.at), 2), "%\">", tick.html, "</span>");
  }
  std::string labels;
  for (const XySeries& series : plot.series) {
    lines += drawn(series, x, y);
    if (series.label.empty()) continue;
    key += str("<span>", sample(series), escape(series.label), "</span>");
    labels += (labels.empty() ? "" : ", ") + series.label;
  }
  return str("<figure class=\"xy\"><h3>", escape(plot.title), "</h3><p class=\"yname\">",
             escape(plot.y.name), "</p><div class=\"frame\"><div class=\"down\">", down,
             "</div><svg viewBox=\"0 0 ", kSide, " ", kSide,
             "\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"",
             escape(str(plot.y.name, " against ", plot.x.name, ": ", labels)), "\">", lines,
             "</svg><div class=\"across\">", across, "</div></div><p class=\"xname\">",
             escape(plot.x.name), "</p><p class=\"key\">", key, "</p>",
             plot.note.empty() ? "" : "<p class=\"note\">" + escape(plot.note) + "</p>",
             "</figure>\n");
}

std::string xy_plots(const std::vector<XyPlot>& plots) {
  std::string html = "<div class=\"charts\">\n";
  for (const XyPlot& plot : plots) html += xy_plot(plot);
  return html + "</div>\n";
}

}  // namespace muonlab::page
