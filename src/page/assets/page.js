// Draws the panels, those in view first, switches the theme, and reloads the page while a sweep runs.
const root = document.documentElement, panels = [];
const waiting = new Set(document.querySelectorAll(".curves"));
const draw = (node) => {
  if (!waiting.delete(node)) return;
  node.style.minHeight = "";
  panels.push(new Panel(node));
  root.dataset.drawn = Math.round(performance.now());
};
const observer = new IntersectionObserver(
  (entries) => entries.forEach((entry) => { if (entry.isIntersecting) draw(entry.target); }), { rootMargin: "400px" });
waiting.forEach((node) => observer.observe(node));
// The others one by one while the reader reads; what is folded away waits until it is opened.
const drawNext = () => {
  const next = [...waiting].find((node) => node.getClientRects().length > 0);
  if (!next) return;
  draw(next);
  setTimeout(drawNext, 30);
};
setTimeout(drawNext, 200);

const recolour = () => panels.forEach((panel) => panel.recolour());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
const theme = document.getElementById("theme");
const isDark = () =>
  root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const label = () => { theme.textContent = isDark() ? "light" : "dark"; };
const kept = stored.get("theme");
if (kept) root.dataset.theme = kept;
label();
theme.onclick = () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  stored.set("theme", root.dataset.theme);
  label();
  recolour();
};

// On paper: all panels that are not folded away.
const printing = (on) => {
  if (on) [...waiting].filter((node) => node.getClientRects().length > 0).forEach(draw);
  panels.forEach((panel) => panel.onPaper(on));
};
addEventListener("beforeprint", () => printing(true));
addEventListener("afterprint", () => printing(false));

// A page that reloads itself comes back as it was: scrolled, with the same parts unfolded. Panels that
// are not drawn yet keep the height they had, so that what is below them stays where it was.
if (data.reload_s) {
  history.scrollRestoration = "manual";
  const folds = [...document.querySelectorAll("details")];
  const kept = stored.get("place");
  if (kept) {
    folds.forEach((fold, i) => { fold.open = kept.open.includes(i); });
    for (const [id, height] of Object.entries(kept.heights)) {
      const node = document.getElementById(id);
      if (node) node.style.minHeight = `${height}px`;
    }
    requestAnimationFrame(() => scrollTo(0, kept.scroll));
  }
  const keep = () => {
    const heights = {};
    for (const node of document.querySelectorAll(".curves")) heights[node.id] = node.offsetHeight;
    stored.set("place", { scroll: scrollY, heights, open: folds.flatMap((fold, i) => (fold.open ? [i] : [])) });
  };
  addEventListener("pagehide", keep);
  const reload = () => {
    if (panels.some((panel) => panel.zoomed()) || document.hidden) return;
    keep();
    location.reload();
  };
  setInterval(reload, data.reload_s * 1000);
}
root.dataset.ready = Math.round(performance.now());
