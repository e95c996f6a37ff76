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

if (data.reload_s) {
  const at = stored.get("scroll");
  if (at) requestAnimationFrame(() => scrollTo(0, at));
  addEventListener("scroll", () => stored.set("scroll", scrollY), { passive: true });
  const reload = () => { if (!panels.some((panel) => panel.zoomed()) && !document.hidden) location.reload(); };
  setInterval(reload, data.reload_s * 1000);
}
root.dataset.ready = Math.round(performance.now());
