// Follows a run: asks /state, says what runs now, and loads the page again when the files of the run have changed.
// What was scrolled to and what was unfolded stay; nothing is loaded while somebody selects, types or has paused.
(() => {
  "use strict";
  const panel = document.getElementById("live");
  if (!panel) return;
  const EVERY = 2000;
  const list = panel.querySelector("dl");
  const note = panel.querySelector("p");
  const kept = `etalon-live ${location.pathname}`;

  const follows = document.createElement("input");
  follows.type = "checkbox";
  follows.checked = sessionStorage.getItem(`${kept} paused`) === null;
  const label = document.createElement("label");
  label.append(follows, " load the page again when the run goes on");
  note.before(label);
  follows.addEventListener("change", () => {
    if (follows.checked) sessionStorage.removeItem(`${kept} paused`);
    else sessionStorage.setItem(`${kept} paused`, "");
  });

  // a fold by its words and by how many of the same words come before it
  const folds = () => {
    const seen = new Map();
    return [...document.querySelectorAll("details")].map((fold) => {
      const summary = fold.querySelector("summary");
      const words = summary ? summary.textContent : "";
      const turn = seen.get(words) || 0;
      seen.set(words, turn + 1);
      return [fold, `${turn} ${words}`];
    });
  };
  const sections = () => [...document.querySelectorAll("section[id]")];

  const keep = () => {
    const above = sections().filter((one) => one.getBoundingClientRect().top <= 0).pop();
    const open = folds().filter(([fold]) => fold.open).map(([, key]) => key);
    const place = above ? { id: above.id, by: -above.getBoundingClientRect().top } : { id: "", by: scrollY };
    sessionStorage.setItem(kept, JSON.stringify({ open, place }));
  };

  const restore = () => {
    const text = sessionStorage.getItem(kept);
    sessionStorage.removeItem(kept);
    if (text === null) return;
    history.scrollRestoration = "manual";
    const { open, place } = JSON.parse(text);
    const wanted = new Set(open);
    for (const [fold, key] of folds()) fold.open = wanted.has(key);
    const above = place.id ? document.getElementById(place.id) : null;
    scrollTo(0, above ? above.getBoundingClientRect().top + scrollY + place.by : place.by);
  };

  const isBusy = () => {
    const active = document.activeElement;
    const types = active && ["INPUT", "SELECT", "TEXTAREA"].includes(active.tagName) && active !== follows;
    return document.hidden || !follows.checked || types || String(getSelection()) !== "";
  };

  const show = (lines) => {
    list.replaceChildren(
      ...lines.map(([name, words]) => {
        const row = document.createElement("div");
        const term = document.createElement("dt");
        const said = document.createElement("dd");
        term.textContent = name;
        said.textContent = words;
        row.append(term, said);
        return row;
      }),
    );
  };

  const ask = async () => {
    try {
      const answer = await fetch("/state", { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const state = await answer.json();
      show(state.lines);
      const isNew = state.etag !== panel.dataset.etag;
      note.textContent = isNew ? "There is more than this page shows." : "";
      if (isNew && !isBusy()) {
        keep();
        location.reload();
        return;
      }
    } catch {
      note.textContent = "The server does not answer: the page is as it was.";
    }
    setTimeout(ask, EVERY);
  };

  restore();
  setTimeout(ask, EVERY);
})();
