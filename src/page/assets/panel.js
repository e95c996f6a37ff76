const MOST_NAMES = 16;  // beside the ends of lines
// Draws a panel of curves; curves.hpp says what its data are.
class Panel {
  constructor(node) {
    this.node = node;
    this.id = node.id;
    this.spec = data.panels[node.id];
    this.state = Object.assign({ measure: 0, axis: "step", each: false, hidden: [] }, stored.get(this.id));
    if (!this.spec.measures[this.state.measure]) this.state.measure = 0;
    this.controls();
    this.charts = this.spec.charts.map((chart) => this.frame(chart));
    if (this.spec.shared) this.legend = make("div", null, { class: "legend" });
    if (this.legend) node.insertBefore(this.legend, this.area);
    this.draw();
  }

  controls() {
    const row = make("div", this.node, { class: "controls" });
    const measures = this.spec.measures;
    const choose = (what, value) => { this.state[what] = value; this.save(); this.draw(); };
    if (measures.length > 4) {
      const holder = make("span", row);
      const select = make("select", holder, { "aria-label": "measure" });
      let group = null, parent = select;
      measures.forEach((measure, i) => {
        if (measure.of && measure.of !== group) parent = make("optgroup", select, { label: group = measure.of });
        const text = measure.of ? `${measure.of}: ${measure.name}` : measure.name;
        make("option", parent, { value: i }, text).selected = i === this.state.measure;
      });
      select.onchange = () => choose("measure", +select.value);
    } else if (measures.length > 1) {
      this.choice(row, measures.map((m, i) => [i, m.name]), "measure", choose);
    }
    if (this.spec.axes.length > 1) {
      this.choice(row, this.spec.axes.map((a) => [a, a === "step" ? "steps" : a]), "axis", choose, "against");
    }
    if (this.spec.seeds) {
      const holder = make("span", row);
      const button = make("button", holder, { "aria-pressed": this.state.each }, "each seed");
      button.onclick = () => { choose("each", !this.state.each); button.setAttribute("aria-pressed", this.state.each); };
    }
    make("span", row, { class: "note" }, matchMedia("(pointer: coarse)").matches
      ? "pinch to zoom, double tap for all" : "drag to zoom, double click for all");
    const size = this.spec.small ? " small" : this.spec.charts.length === 1 ? " one" : "";
    this.area = make("div", this.node, { class: "charts" + size });
  }
  choice(row, options, what, choose, label) {
    const holder = make("span", row);
    if (label) make("label", holder, {}, label);
    const buttons = options.map(([value, text]) => {
      const button = make("button", holder, { "aria-pressed": this.state[what] === value }, text);
      button.onclick = () => {
        buttons.forEach((other) => other.setAttribute("aria-pressed", other === button));
        choose(what, value);
      };
      return button;
    });
  }
  save() { stored.set(this.id, this.state); }

  frame(chart) {
    const node = make("div", this.area, { class: "chart" });
    const head = make("h3", node);
    const title = make("span", head, {}, "");
    const at = make("span", head, { class: "at" });
    const plot = make("div", node, { class: "plot", role: "img" });
    const foot = make("p", node, { class: "xname" });
    const cut = make("span", foot, { class: "cut" });
    const xname = make("span", foot);
    const legend = this.spec.shared ? null : make("div", node, { class: "legend" });
    return { node, chart, title, at, plot, cut, xname, legend };
  }

  axisOf(series, curve) {
    const steps = this.spec.grids[curve.g];
    if (this.state.axis === "tokens") return curve.t || steps.map((step) => step * series.k);
    if (this.state.axis === "time") return curve.s || [];
    return steps;
  }

  // Rows [x, y of each line], where a line is the mean over the seeds of a label, or one seed's own curve.
  table(chart) {
    const curves = [];
    for (const series of chart.series) {
      const curve = series.m[this.state.measure];
      if (curve) curves.push({ series, xs: this.axisOf(series, curve), ys: curve.y });
    }
    let grid = [...new Set(curves.flatMap((c) => c.xs))].sort((a, b) => a - b);
    if (grid.length > MOST_POINTS) {
      const low = grid[0], high = grid[grid.length - 1];
      grid = Array.from({ length: GRID + 1 }, (_, i) => low + (high - low) * i / GRID);
    }
    const groups = new Map();
    for (const curve of curves) {
      const values = interpolate(curve.xs, curve.ys, grid);
      if (!groups.has(curve.series.l)) groups.set(curve.series.l, []);
      groups.get(curve.series.l).push({ series: curve.series, values });
    }
    const lines = [];
    for (const [label, members] of groups) {
      const first = members[0].series;
      const mean = grid.map((_, i) => {
        let sum = 0, n = 0;
        for (const member of members) if (member.values[i] !== null) { sum += member.values[i]; ++n; }
        return n ? sum / n : null;
      });
      if (this.state.each && members.length > 1)
        for (const { series, values } of members)
          lines.push({ label, name: `${label}\u0001${series.t}`, of: first, values, thin: true });
      lines.push({ label, name: label, of: first, values: mean, thin: false, n: members.length });
    }
    return { grid, lines };
  }

  draw() {
    const tables = this.charts.map((frame) => this.table(frame.chart));
    let range = null;
    for (const { grid, lines } of tables) {
      const own = this.range(grid, lines);
      if (own) range = range ? [Math.min(range[0], own[0]), Math.max(range[1], own[1])] : own;
    }
    this.labels = new Map();
    this.charts.forEach((frame, i) => this.drawChart(frame, tables[i], range));
    if (this.legend) this.drawLegend(this.legend, [...this.labels.values()]);
  }
  // The ordinates after the first twentieth of the run: its steep start would flatten all that follows.
  range(grid, lines) {
    const measure = this.spec.measures[this.state.measure];
    if (measure.range) return measure.range;
    const start = grid[0] + (grid[grid.length - 1] - grid[0]) * (this.spec.skip || 0);
    let low = Infinity, high = -Infinity;
    for (const line of lines) {
      line.values.forEach((y, i) => {
        if (y === null || (grid[i] < start && grid.length > 2)) return;
        low = Math.min(low, y);
        high = Math.max(high, y);
      });
    }
    if (low > high) return null;
    const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
    return [low - room, high + room];
  }

  drawChart(frame, { grid, lines }, range) {
    const measure = this.spec.measures[this.state.measure];
    const name = measure.unit ? `${measure.name}, ${measure.unit}` : measure.name;
    const title = frame.chart.title;
    frame.title.textContent = !title ? name : this.spec.shared ? title : `${title}: ${name}`;
    const time = this.state.axis === "time";
    const longest = grid.length ? grid[grid.length - 1] : 0;
    const [per, unit] = !time ? [1, this.state.axis] : longest > 7200 ? [3600, "h"] : longest > 300 ? [60, "min"] : [1, "s"];
    frame.xname.textContent = time ? `training time, ${unit}` : this.state.axis === "step" ? "step" : "tokens";
    frame.lines = lines;
    frame.range = range;
    for (const line of lines) if (!line.thin) this.labels.set(line.label, { label: line.label, of: line.of });
    if (frame.graph) frame.graph.destroy();
    frame.graph = null;
    frame.node.hidden = !grid.length;  // nothing of this measure
    if (!grid.length) return;
    const rows = grid.map((x, i) => [x / per, ...lines.map((line) => line.values[i])]);
    const series = {};
    for (const line of lines) {
      series[line.name] = {
        strokePattern: dashes(line.of), strokeWidth: line.thin ? 1 : 1.8, ...this.points(line, grid.length),
      };
    }
    const direct = frame.legend && frame.plot.clientWidth > 480 && lines.filter((line) => !line.thin).length <= MOST_NAMES;
    const xtext = (x) => short(x);
    frame.graph = new Dygraph(frame.plot, rows, {
      labels: ["x", ...lines.map((line) => line.name)],
      series, valueRange: range, legend: "never", connectSeparatedPoints: false,
      visibility: lines.map((line) => !this.state.hidden.includes(line.label)),
      axes: {
        x: { axisLabelFormatter: xtext, valueFormatter: xtext, pixelsPerLabel: frame.plot.clientWidth < 260 ? 34 : 64 },
        y: { axisLabelFormatter: (y) => short(y), axisLabelWidth: 46, pixelsPerLabel: 34 },
      },
      axisLabelFontSize: 12, rightGap: direct ? 136 : 8, highlightCircleSize: 3,
      ...this.colours(lines),
      highlightCallback: (event, x, points) => {
        const values = new Map(points.map((point) => [point.name, point.yval]));
        frame.at.textContent = unit === "step" ? `step ${xtext(x)}` : `${xtext(x)} ${unit}`;
        this.showValues(frame, values);
      },
      unhighlightCallback: () => { frame.at.textContent = ""; this.showValues(frame, null); },
      zoomCallback: (low, high) => this.zoomOthers(frame, low, high),
      interactionModel: matchMedia("(pointer: coarse)").matches ? twoFingers() : Dygraph.defaultInteractionModel,
      plugins: [{ activate: () => ({ didDrawChart: (e) => this.decorate(e.dygraph, frame, direct) }) }],
    });
    this.describe(frame, name);
    if (frame.legend) {
      const entries = lines.filter((line) => !line.thin).map((line) => ({ label: line.label, of: line.of }));
      this.drawLegend(frame.legend, entries, frame);
    }
  }
  // Points of a short curve, and a line's own markers, about eight along it.
  points(line, length) {
    const marker = MARKERS[line.of.d], few = length <= 40;
    if (line.thin || !(few || marker)) return { drawPoints: false };
    const every = Math.max(1, Math.ceil(length / 8));
    return {
      drawPoints: true, pointSize: 2,
      drawPointCallback: (graph, name, ctx, x, y, fill, size, i) => {
        if (marker && i % every === 0) drawMarker(ctx, marker, x, y, fill);
        else if (few) drawMarker(ctx, MARKERS[1], x, y, fill, size);
      },
    };
  }
  // What the plot shows, for a screen reader.
  describe(frame, name) {
    const lines = frame.lines.filter((line) => !line.thin && !this.state.hidden.includes(line.label));
    const ends = lines.map((line) => {
      const known = line.values.filter((y) => y !== null);
      return known.length ? `${line.label} from ${digits(known[0], 4)} to ${digits(known[known.length - 1], 4)}` : line.label;
    });
    const title = frame.chart.title ? `${frame.chart.title}: ` : "";
    frame.plot.setAttribute("aria-label", `${title}${name} by ${frame.xname.textContent}. ${ends.join("; ")}.`);
  }
  decorate(graph, frame, direct) {
    this.markCuts(graph, frame);
    if (direct) this.nameEnds(graph, frame);
  }
  // An arrow at the edge where a line leaves the plot, and below it how far lines reach beyond.
  markCuts(graph, frame) {
    const [low, high] = graph.yAxisRange(), [left, right] = graph.xAxisRange();
    const area = graph.getArea(), ctx = graph.hidden_ctx_;
    frame.cuts = [];
    let above = -Infinity, below = Infinity;
    for (const line of frame.lines) {
      if (this.state.hidden.includes(line.label)) continue;
      let before = null, marked = false;
      const mark = (x, side) => {
        const px = Math.min(Math.max(graph.toDomXCoord(x), area.x + 4), area.x + area.w - 4);
        const py = side > 0 ? area.y + 5 : area.y + area.h - 5;
        drawMarker(ctx, (c, cx, cy, r) => MARKERS[3](c, cx, cy, side * r), px, py, colour(`--c${line.of.c}`), 4.5);
        frame.cuts.push({ x, side, of: line.of });
        marked = true;
      };
      const values = line.values.map((y, i) => ({ y, x: graph.getValue(i, 0) }))
        .filter(({ x, y }) => y !== null && x >= left && x <= right)
        .map(({ x, y }) => ({ x, y, side: y > high ? 1 : y < low ? -1 : 0 }));
      for (const now of values) {
        if (now.side > 0) above = Math.max(above, now.y);
        if (now.side < 0) below = Math.min(below, now.y);
        const side = now.side || (before && before.side);
        if (before && side && now.side !== before.side) {
          const edge = side > 0 ? high : low;
          mark(before.x + (now.x - before.x) * (edge - before.y) / (now.y - before.y), side);
        }
        before = now;
      }
      if (!marked && before && before.side) mark(values[0].x, before.side);  // all of it lies beyond
    }
    const parts = [];
    if (above > -Infinity) parts.push(`▲ cut: up to ${digits(above, 4)} above the plot`);
    if (below < Infinity) parts.push(`▼ cut: down to ${digits(below, 4)} below the plot`);
    frame.cut.textContent = parts.join("; ");
  }
  colours(lines) {
    return {
      colors: lines.map((line) => colour(`--c${line.of.c}`, line.thin ? 0.4 : 1)),
      gridLineColor: colour("--line"), axisLineColor: colour("--line"),
    };
  }
  recolour() {
    for (const frame of this.charts) if (frame.graph) frame.graph.updateOptions(this.colours(frame.lines));
  }
  // A zoom along x holds for the panel's other charts too.
  zoomOthers(frame, low, high) {
    if (this.zooming) return;
    this.zooming = true;
    const all = !frame.graph.isZoomed("x");
    for (const other of this.charts)
      if (other !== frame && other.graph) {
        if (all) other.graph.resetZoom(); else other.graph.updateOptions({ dateWindow: [low, high] });
      }
    this.zooming = false;
  }

  // Each line's name beside its end, pushed apart where ends are close.
  nameEnds(graph, frame) {
    const area = graph.getArea(), [, right] = graph.xAxisRange();
    frame.plot.querySelectorAll(".end").forEach((node) => node.remove());
    const ends = [];
    for (const line of frame.lines) {
      if (line.thin || this.state.hidden.includes(line.label)) continue;
      let i = line.values.length - 1;
      while (i >= 0 && (line.values[i] === null || graph.getValue(i, 0) > right)) --i;
      if (i < 0) continue;
      const y = graph.toDomYCoord(line.values[i]);
      if (y >= area.y - 1 && y <= area.y + area.h + 1) ends.push({ line, y });
    }
    spread(ends, 15, area.y + area.h);
    const left = area.x + area.w + 6;
    for (const { line, y } of ends)
      this.nameEnd(frame.plot, line, `left:${left}px;top:${y}px`);
  }

  nameEnd(plot, line, style) {
    const node = make("span", plot, { class: "end", style, title: line.label });
    node.innerHTML = sample(line.of);
    make("span", node, {}, line.label);
  }

  drawLegend(node, entries, frame) {
    node.replaceChildren();
    for (const { label, of } of entries) {
      const shown = !this.state.hidden.includes(label);
      const button = make("button", node, { "aria-pressed": shown, title: shown ? "hide" : "show" });
      button.dataset.label = label;
      button.innerHTML = sample(of);
      make("span", button, {}, label);
      make("span", button, { class: "v" });
      button.onclick = () => this.toggle(label);
    }
    if (frame) this.showValues(frame, null);
  }
  toggle(label) {
    const hidden = this.state.hidden;
    this.state.hidden = hidden.includes(label) ? hidden.filter((other) => other !== label) : [...hidden, label];
    this.save();
    const shown = !this.state.hidden.includes(label);
    for (const frame of this.charts)
      if (frame.graph) frame.lines.forEach((line, i) => line.label === label && frame.graph.setVisibility(i, shown));
    for (const button of this.node.querySelectorAll(".legend button"))
      if (button.dataset.label === label) button.setAttribute("aria-pressed", shown);
  }
  // The legend's figures: under the pointer; else, in a chart's own legend, each line's last.
  showValues(frame, values) {
    for (const button of (frame.legend || this.legend).children) {
      const label = button.dataset.label;
      const line = frame.legend && frame.lines.find((other) => other.name === label);
      const value = values ? values.get(label) : line && line.values.findLast((y) => y !== null);
      button.lastChild.textContent = digits(value, 4);
    }
  }
  // For printing; the drawings of the last time go.
  onPaper(wanted) {
    this.node.querySelectorAll("svg.paper").forEach((node) => node.remove());
    if (!wanted) return;
    for (const frame of this.charts) if (frame.graph) drawOnPaper(this, frame);
  }
  // dygraphs takes the ordinate's range that it was given for a zoom.
  zoomed() {
    return this.charts.some(({ graph, range }) => {
      if (!graph) return false;
      const [low, high] = graph.yAxisRange();
      return graph.isZoomed("x") || (range && (low !== range[0] || high !== range[1]));
    });
  }
}

