// Draws the panels as they come into view, switches the theme, and reloads the page while a sweep runs.
const root = document.documentElement, panels = [];
const waiting = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    waiting.unobserve(entry.target);
    entry.target.style.minHeight = "";
    panels.push(new Panel(entry.target));
    root.dataset.drawn = Math.round(performance.now());
  }
}, { rootMargin: "400px" });
for (const node of document.querySelectorAll(".curves")) waiting.observe(node);

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
