// What panel.js and page.js share: the page's data, elements, numbers, touch. The three run in one scope, in this order.
const data = JSON.parse(document.getElementById("data").textContent);
const DASHES = [null, [7, 3], [2, 2], [9, 3, 2, 3]];
const GRID = 600;         // points of a common axis where the curves' own points are too many to unite
const MOST_POINTS = 4000;

const make = (tag, parent, attributes = {}, text = null) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  if (parent) parent.append(node);
  return node;
};
const stored = {
  get(key) { try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; } },
  set(key, value) { try { sessionStorage.setItem(key, JSON.stringify(value)); } catch { /* a page without storage */ } },
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

