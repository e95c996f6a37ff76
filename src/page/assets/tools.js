// What panel.js and page.js share: the page's data, elements, numbers, touch. The three run in one scope, in this order.
const data = JSON.parse(document.getElementById("data").textContent);
// A line's dashes by its colour (line_style.hpp); null is a solid line.
const dashes = (series) => { const pattern = data.patterns[series.c]; return pattern.length ? pattern : null; };
const GRID = 600;         // points of a common axis where the curves' own points are too many to unite
const MOST_POINTS = 4000;

const make = (tag, parent, attributes = {}, text = null) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  if (parent) parent.append(node);
  return node;
};
// What outlives a reload of this page; pages of one folder or host do not share it.
const stored = {
  name: (key) => `${location.pathname}#${key}`,
  get(key) { try { return JSON.parse(sessionStorage.getItem(this.name(key))); } catch { return null; } },
  set(key, value) {
    try { sessionStorage.setItem(this.name(key), JSON.stringify(value)); } catch { /* a page without storage */ }
  },
};

// The colour behind a CSS variable as the canvas wants it.
const probe = make("span", document.body, { hidden: "" });
const colour = (name, alpha = 1) => {
  probe.style.color = `var(${name})`;
  const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g);
  return `rgba(${r},${g},${b},${alpha})`;
};

const digits = (value, n) => {
  if (value === null || value === undefined || !Number.isFinite(value)) return "";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return size >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(n);
};
const short = (value) => {
  const size = Math.abs(value);
  if (size >= 1e9) return +(value / 1e9).toPrecision(4) + " G";
  if (size >= 1e6) return +(value / 1e6).toPrecision(4) + " M";
  if (size >= 1e4) return +(value / 1e3).toPrecision(4) + " k";
  return String(+value.toPrecision(4));
};

// The marker of a line: none, circle, square, triangle.
const MARKERS = [
  null,
  (ctx, x, y, r) => ctx.arc(x, y, r, 0, 2 * Math.PI),
  (ctx, x, y, r) => ctx.rect(x - r, y - r, 2 * r, 2 * r),
  (ctx, x, y, r) => { ctx.moveTo(x, y - r); ctx.lineTo(x + r, y + r); ctx.lineTo(x - r, y + r); ctx.closePath(); },
];
const drawMarker = (ctx, marker, x, y, fill, r = 3.5) => {
  ctx.save();
  ctx.setLineDash([]);
  ctx.fillStyle = fill;
  ctx.beginPath();
  marker(ctx, x, y, r);
  ctx.fill();
  ctx.restore();
};
// A short piece of a series' line, as an SVG beside its name.
const SHAPES = ["", '<circle cx="13" cy="5" r="3.5"/>', '<rect x="9.5" y="1.5" width="7" height="7"/>',
  '<path d="M13 .5L17.5 8.5L8.5 8.5Z"/>'];
const sample = (series) => {
  const pattern = dashes(series);
  const dash = pattern ? ` stroke-dasharray="${pattern.join(" ")}"` : "";
  const line = `<line x1="0" x2="26" y1="5" y2="5" stroke-width="2.5"${dash}/>`;
  const paint = `fill="var(--c${series.c})" stroke="var(--c${series.c})"`;
  return `<svg class="sample" aria-hidden="true" ${paint}>${line}<g stroke="none">${SHAPES[series.d]}</g></svg>`;
};

// y at every x of `wanted` (rising) by linear interpolation; null outside the curve.
const interpolate = (xs, ys, wanted) => {
  let i = 0;
  const last = xs.length - 1;
  return wanted.map((x) => {
    if (last < 0 || x < xs[0] || x > xs[last]) return null;
    while (i < last && xs[i + 1] < x) ++i;
    if (xs[i] === x || i === last) return ys[i];
    if (xs[i + 1] === x) return ys[i + 1];
    const a = ys[i], b = ys[i + 1];
    return a === null || b === null ? null : a + (b - a) * (x - xs[i]) / (xs[i + 1] - xs[i]);
  });
};

// On a touch screen one finger scrolls the page; two zoom the chart.
const twoFingers = () => {
  const usual = Dygraph.defaultInteractionModel;
  const guarded = (name) => (event, graph, context) => {
    if (event.touches.length > 1 || context.twoFingers) usual[name](event, graph, context);
  };
  return {
    touchstart: (event, graph, context) => {
      context.twoFingers = event.touches.length > 1;
      if (context.twoFingers) usual.touchstart(event, graph, context);
    },
    touchmove: guarded("touchmove"),
    touchend: guarded("touchend"),
    dblclick: usual.dblclick,
  };
};

