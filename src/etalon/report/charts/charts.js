// What a mark of a chart stands for: on hover, by touch, and by arrow keys when a chart has the focus.
//
// A mark says its <title>, a line what is in data-said (its name) and data-values ("x y,x y,..."), one per point of its
// path. All lines of a chart are read together at an x. Words go into the page as text, never as markup.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const NEAR = 8; // units within which a mark goes before the lines around it
  const AWAY = 4; // how much more a step off the reading axis counts

  const part = (style) => {
    const element = document.createElement("div");
    element.className = style;
    return document.body.appendChild(element);
  };
  const tip = part("tip");
  tip.setAttribute("aria-hidden", "true");
  const spoken = part("spoken");
  spoken.setAttribute("role", "status");
  let shown = null; // {chart, stop, ring}
  const known = new WeakMap();

  // ---- what there is to point at: stops, each a box in units of the chart with lines of words

  const marks = (chart) =>
    [...chart.querySelectorAll(":scope > *:not(title) title, :scope > * > title")].map((title) => {
      const mark = title.parentNode;
      const words = title.textContent;
      title.remove(); // or the browser shows it a second time
      const { x, y, width, height } = mark.getBBox();
      return { x, y, width, height, words: [words], dots: [] };
    });

  const lines = (chart) => {
    const name = chart.dataset.name ? `${chart.dataset.name} ` : "";
    const found = new Map();
    for (const line of chart.querySelectorAll("path[data-said]")) {
      const places = line.getAttribute("d").slice(1).split("L").map((pair) => pair.split(",").map(Number));
      line.dataset.values.split(",").forEach((pair, index) => {
        const [at, ...rest] = pair.split(" ");
        const [x, y] = places[index];
        const stop = found.get(at) || { x, y, width: 0, height: 0, words: [name + at], dots: [], isLine: true };
        stop.words.push(`${line.dataset.said} ${rest.join(" ")}`);
        stop.dots.push([x, y]);
        found.set(at, stop);
      });
    }
    return [...found.values()].sort((a, b) => a.x - b.x);
  };

  const stops = (chart) => {
    if (!known.has(chart)) {
      const own = chart.querySelector(":scope > title");
      if (own) own.remove(); // its words stay in aria-label
      known.set(chart, [...lines(chart), ...marks(chart)]);
    }
    return known.get(chart);
  };

  // ---- which one is meant

  const gap = (at, start, size) => Math.max(start - at, 0, at - start - size);

  const nearest = (chart, x, y) => {
    const along = chart.dataset.read;
    let best = null;
    let least = Infinity;
    for (const stop of stops(chart)) {
      const dx = gap(x, stop.x, stop.width);
      const dy = gap(y, stop.y, stop.height);
      const isNear = !stop.isLine && Math.hypot(dx, dy) <= NEAR;
      const cost = isNear
        ? Math.hypot(dx, dy) - NEAR
        : (along === "x" ? AWAY : 1) * dx + (stop.isLine ? 0 : (along === "y" ? AWAY : 1) * dy);
      if (cost < least) [best, least] = [stop, cost];
    }
    return best;
  };

  const middle = (stop) => [stop.x + stop.width / 2, stop.y + stop.height / 2];

  // left and right go through all in their order; up and down to what lies there, if anything does
  const next = (chart, stop, key) => {
    const all = stops(chart);
    const at = all.indexOf(stop);
    if (key === "Home") return all[0];
    if (key === "End") return all[all.length - 1];
    if (key === "ArrowLeft" || key === "ArrowRight") {
      return all[Math.min(Math.max(at + (key === "ArrowRight" ? 1 : -1), 0), all.length - 1)];
    }
    const down = key === "ArrowDown" ? 1 : -1;
    const [x, y] = middle(stop);
    const cost = (other) => (middle(other)[1] - y) * down + AWAY * Math.abs(middle(other)[0] - x);
    const there = all.filter((other) => (middle(other)[1] - y) * down > 0.5 && !other.isLine);
    return there.sort((a, b) => cost(a) - cost(b))[0] || stop;
  };

  // ---- showing it

  const hide = () => {
    if (shown) shown.ring.remove();
    shown = null;
    tip.classList.remove("on");
  };

  const outline = (stop) => {
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("class", "at");
    const add = (name, values) => {
      const element = group.appendChild(document.createElementNS(SVG, name));
      for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
    };
    for (const [cx, cy] of stop.dots) add("circle", { cx, cy, r: 4.5 });
    const { x, y, width, height } = stop;
    if (!stop.dots.length) add("rect", { x: x - 2, y: y - 2, width: width + 4, height: height + 4, rx: 2 });
    return group;
  };

  const show = (chart, stop, speak) => {
    if (!stop) return;
    if (shown && shown.stop === stop) return;
    hide();
    shown = { chart, stop, ring: chart.appendChild(outline(stop)) };
    tip.replaceChildren(
      ...stop.words.map((words) => {
        const line = document.createElement("div");
        line.textContent = words;
        return line;
      }),
    );
    tip.classList.add("on");
    const place = new DOMPoint(stop.x + stop.width / 2, stop.y).matrixTransform(chart.getScreenCTM());
    const { width, height } = tip.getBoundingClientRect();
    const left = Math.min(Math.max(place.x - width / 2, 4), document.documentElement.clientWidth - width - 4);
    const above = place.y - height - 12;
    tip.style.left = `${left + window.scrollX}px`;
    tip.style.top = `${(above < 4 ? place.y + 16 : above) + window.scrollY}px`;
    if (speak) spoken.textContent = stop.words.join(", ");
  };

  const pointed = (event) => {
    const chart = event.target.closest ? event.target.closest("svg.chart") : null;
    if (!chart) {
      if (shown && shown.chart !== document.activeElement) hide();
      return;
    }
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
    show(chart, nearest(chart, x, y), false);
  };

  const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
  const pressed = (event) => {
    const chart = event.currentTarget;
    if (event.key === "Escape") hide();
    if (!KEYS.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const isHere = shown && shown.chart === chart;
    show(chart, isHere ? next(chart, shown.stop, event.key) : stops(chart)[event.key === "End" ? stops(chart).length - 1 : 0], true);
  };

  document.addEventListener("pointermove", pointed, { passive: true });
  document.addEventListener("pointerdown", pointed, { passive: true });
  for (const chart of document.querySelectorAll("svg.chart")) {
    if (!chart.querySelector("path[data-said], :scope > * title")) continue;
    chart.setAttribute("tabindex", "0");
    chart.setAttribute("role", "application");
    chart.setAttribute("aria-roledescription", "chart");
    chart.setAttribute("aria-label", `${chart.getAttribute("aria-label")}. Arrow keys read its values.`);
    chart.addEventListener("keydown", pressed);
    chart.addEventListener("focus", () => {
      if (chart.matches(":focus-visible")) show(chart, stops(chart)[0], true);
    });
    chart.addEventListener("blur", hide);
  }
})();
