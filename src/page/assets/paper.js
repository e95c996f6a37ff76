// A chart as an SVG for paper: browsers print a canvas as it was on the screen, whatever the paper's width and colours.
const svgNode = (tag, parent, attributes = {}, text = null) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  parent.append(node);
  return node;
};

// The part of a line inside the plot, one piece after another where it is interrupted.
const pathOf = (values, place) => {
  let path = "", pen = "M";
  values.forEach((y, i) => {
    const point = y === null ? null : place(i, y);
    if (!point) { pen = "M"; return; }
    path += `${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    pen = "L";
  });
  return path;
};

const drawOnPaper = (panel, frame) => {
  const { graph, lines } = frame;
  const shown = lines.filter((line) => !panel.state.hidden.includes(line.label));
  const names = panel.spec.small ? [] : shown.filter((line) => !line.thin);
  const width = panel.spec.small ? 340 : 700, height = panel.spec.small ? 160 : 270;
  const left = 48, top = 8, right = width - (names.length ? 130 : 12), bottom = height - 20;
  const [x0, x1] = graph.xAxisRange(), [y0, y1] = graph.yAxisRange();
  const toX = (x) => left + (x - x0) / (x1 - x0 || 1) * (right - left);
  const toY = (y) => bottom - (y - y0) / (y1 - y0 || 1) * (bottom - top);
  const root = svgNode("svg", frame.node, { class: "paper", viewBox: `0 0 ${width} ${height}`, role: "img" });
  root.setAttribute("aria-label", frame.plot.getAttribute("aria-label"));
  frame.node.insertBefore(root, frame.plot);
  const inside = { x: left, y: top - 2, width: right - left + 2, height: bottom - top + 4 };  // what lines may cover
  const line = (x, y, toX, toY, stroke) => svgNode("line", root, { x1: x, y1: y, x2: toX, y2: toY, stroke });
  const ticks = graph.layout_;
  for (const { pos, label } of ticks.yticks) {
    const y = top + pos * (bottom - top);
    line(left, y, right, y, "var(--line)");
    svgNode("text", root, { x: left - 5, y: y + 4, "text-anchor": "end" }, label);
  }
  for (const { pos, label } of ticks.xticks) {
    const x = left + pos * (right - left);
    line(x, top, x, bottom, "var(--line)");
    svgNode("text", root, { x, y: height - 5, "text-anchor": "middle" }, label);
  }
  line(left, bottom, right, bottom, "var(--muted)");
  line(left, top, left, bottom, "var(--muted)");
  const curves = svgNode("svg", root, { ...inside, viewBox: Object.values(inside).join(" "), overflow: "hidden", fill: "none" });
  for (const one of shown) {
    const pattern = dashes(one.of);
    svgNode("path", curves, {
      d: pathOf(one.values, (i, y) => [toX(graph.getValue(i, 0)), toY(y)]),
      stroke: `var(--c${one.of.c})`, "stroke-width": one.thin ? 0.8 : 1.6, "stroke-dasharray": pattern ? pattern.join(" ") : "none",
      "stroke-opacity": one.thin ? 0.5 : 1,
    });
  }
  for (const { x, side, of } of frame.cuts) {
    const px = toX(x), py = side > 0 ? top + 4 : bottom - 4, r = 4 * side;
    svgNode("path", root, { d: `M${px} ${py - r}L${px + 4} ${py + r}L${px - 4} ${py + r}Z`, fill: `var(--c${of.c})` });
  }
  const ends = names.map((one) => ({ one, y: toY(one.values.findLast((y) => y !== null) ?? NaN) })).filter((end) => end.y >= top - 2 && end.y <= bottom + 2);
  spread(ends, 13, bottom);
  for (const { one, y } of ends) {
    const mark = svgNode("g", root, { transform: `translate(${right + 5} ${y - 5})` });
    mark.innerHTML = sample(one.of);
    svgNode("text", root, { x: right + 35, y: y + 4, class: "name" }, one.label);
  }
};

// Pushes places apart that are closer than a step; none goes below the floor.
const spread = (ends, step, floor) => {
  ends.sort((a, b) => a.y - b.y);
  for (let i = 1; i < ends.length; ++i) ends[i].y = Math.max(ends[i].y, ends[i - 1].y + step);
  let low = floor;
  for (let i = ends.length - 1; i >= 0; --i) low = (ends[i].y = Math.min(ends[i].y, low)) - step;
};
