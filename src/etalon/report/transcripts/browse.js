"use strict";
// Shows the rollouts that browser.py packed. Every text goes through textContent: what a model wrote is never markup.
(() => {
  const panel = document.getElementById("rollouts");
  const block = document.getElementById("rollouts-data");
  if (!panel || !block || typeof DecompressionStream === "undefined") return; // the sentence in the panel stays

  const PER_PAGE = 20;
  const NAME = "#rollouts";
  const MARKS = { right: "✓", wrong: "✗", cut: "…", "no answer": "∅", undecided: "?", failed: "!" };
  const HIDING = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]|\p{Cs}/gu;
  const FIELDS = ["stage", "step", "domain", "verdict", "from", "to", "problem", "q"];
  const inputs = {};
  let head, problems, found = [], place = 0, loading = null, timer = 0;

  // ---- elements

  const plain = (words) => String(words).replace(HIDING, "\ufffd");

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    made.append(...children.map((child) => (typeof child === "string" ? plain(child) : child)));
    return made;
  }

  const kindClass = (kind) => `kind-name ${kind === "no answer" ? "none" : kind}`;
  const number = (value) => (value === null ? "–" : value.toLocaleString("en-US"));
  const several = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
  const clip = (words, length) => (words.length > length ? `${words.slice(0, length)} …` : words);

  function labelled(name, title, input) {
    inputs[name] = input;
    input.addEventListener(input.tagName === "SELECT" ? "change" : "input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => apply(0, true), input.tagName === "SELECT" ? 0 : 150);
    });
    return element("label", { class: "pick-of" }, element("span", {}, title), input);
  }

  const select = (options) =>
    element("select", {}, ...options.map(([value, title]) => element("option", { value }, title)));

  // ---- what is in the page

  async function unpacked() {
    const bytes = Uint8Array.from(atob(block.textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const lines = (await new Response(stream).text()).split("\n");
    head = JSON.parse(lines[0]);
    problems = lines.slice(1).map((line) => {
      const [domain, id, prompt, answer, different, groups] = JSON.parse(line);
      return { domain, id, prompt, answer, different, groups };
    });
  }

  function begun() {
    loading ||= unpacked().then(build, (error) => {
      panel.replaceChildren(element("p", {}, `The rollouts in this page cannot be unpacked: ${error.message}`));
    });
    return loading;
  }

  function build() {
    const evaluated = new Set(), trained = new Set(), domains = new Set();
    for (const problem of problems) {
      domains.add(problem.domain);
      for (const [stage, step] of problem.groups) (step === null ? evaluated : trained).add(head.stages[stage]);
    }
    const stages = [
      ...(evaluated.size ? [["", "every evaluation"]] : []),
      ...[...evaluated].map((name) => [name, `evaluation of ${name}`]),
      ...(trained.size ? [["@", "every step of training"]] : []),
      ...[...trained].map((name) => [`${name}@`, `steps of ${name}`]),
    ];
    const any = [["", "any"]];
    const size = (name) => element("input", { type: "number", min: "0", class: "number", name });
    const controls = element(
      "form", { class: "picks", role: "search" },
      labelled("stage", "Stage", select(stages)),
      labelled("step", "Step", size("step")),
      labelled("domain", "Domain", select([...any, ...[...domains].map((name) => [name, name || "not known"])])),
      labelled("verdict", "Verdict", select([...any, ...head.kinds.map((kind) => [kind, kind])])),
      labelled("from", `${head.unit} from`, size("from")),
      labelled("to", "to", size("to")),
      labelled("problem", "Problem", element("input", { type: "search", spellcheck: "false" })),
      labelled("q", "Search prompt and answer ( / )", element("input", { type: "search", spellcheck: "false", class: "q" })),
    );
    controls.addEventListener("submit", (event) => event.preventDefault());
    panel.replaceChildren(
      controls,
      element("p", { class: "note told", "aria-live": "polite" }),
      element("div", { class: "both" },
        element("div", { class: "list" },
          element("div", { class: "rows", role: "listbox", tabindex: "0", "aria-label": "Rollouts" }),
          element("p", { class: "note pages" }, turn("‹ earlier", -PER_PAGE), element("span"), turn("later ›", PER_PAGE)),
          element("p", { class: "note" }, "j and k or the arrows move, / searches.")),
        element("div", { class: "one", tabindex: "-1" })),
    );
    const few = { stage: stages.length < 2, step: !trained.size, domain: domains.size < 2 };
    for (const name of Object.keys(few)) inputs[name].parentElement.hidden = few[name];
    panel.addEventListener("keydown", moved);
    restore();
  }

  function turn(title, distance) {
    const button = element("button", { type: "button" }, title);
    button.addEventListener("click", () => go(place - (place % PER_PAGE) + distance));
    return button;
  }

  // ---- filters

  function chosen() {
    const wanted = {};
    for (const name of FIELDS) wanted[name] = inputs[name].value;
    return wanted;
  }

  function matching(wanted) {
    const isTraining = wanted.stage.endsWith("@");
    const stage = isTraining ? wanted.stage.slice(0, -1) : wanted.stage;
    const [step, from, to] = [wanted.step, wanted.from, wanted.to].map((value) => (value === "" ? null : Number(value)));
    const kind = wanted.verdict === "" ? null : head.kinds.indexOf(wanted.verdict);
    const query = wanted.q.toLowerCase();
    const isExact = problems.some((problem) => problem.id === wanted.problem);
    const hits = [];
    for (const problem of problems) {
      if (wanted.domain && problem.domain !== wanted.domain) continue;
      if (isExact ? problem.id !== wanted.problem : !problem.id.includes(wanted.problem)) continue;
      const isAsked = !query || problem.prompt.toLowerCase().includes(query);
      const fits = problem.different.map(([text, verdict, tokens]) =>
        (kind === null || verdict === kind) &&
        (from === null || (tokens !== null && tokens >= from)) &&
        (to === null || (tokens !== null && tokens <= to)) &&
        (isAsked || text.toLowerCase().includes(query)));
      for (const group of problem.groups) {
        if ((group[1] !== null) !== isTraining) continue;
        if (stage && head.stages[group[0]] !== stage) continue;
        if (isTraining && step !== null && group[1] !== step) continue;
        group[2].forEach((which, index) => { if (fits[which]) hits.push({ problem, group, index }); });
      }
    }
    return hits;
  }

  function apply(row, isRemembered) {
    const wanted = chosen();
    inputs.step.disabled = !wanted.stage.endsWith("@");
    found = matching(wanted);
    const counted = new Map();
    for (const hit of found) {
      const kind = head.kinds[rolloutOf(hit)[1]];
      counted.set(kind, (counted.get(kind) || 0) + 1);
    }
    const parts = head.kinds.filter((kind) => counted.has(kind)).map((kind) => `${number(counted.get(kind))} ${kind}`);
    const numProblems = new Set(found.map((hit) => hit.problem)).size;
    const told = found.length
      ? `${several(found.length, "rollout")} of ${several(numProblems, "problem")}: ${parts.join(", ")}.`
      : "No rollout is like that.";
    panel.querySelector(".told").textContent = told;
    go(row, isRemembered);
  }

  const rolloutOf = ({ problem, group, index }) => problem.different[group[2][index]];

  // ---- the address keeps the filter

  function remember() {
    const kept = new URLSearchParams();
    for (const [name, value] of Object.entries(chosen())) if (value) kept.set(name, value);
    if (place) kept.set("row", String(place));
    try {
      history.replaceState(null, "", `${NAME}&${kept}`);
    } catch {
      // an address that may not change: the filter is kept in the fields alone
    }
  }

  const isAddressed = () => location.hash === NAME || location.hash.startsWith(`${NAME}&`);

  function restore() {
    const kept = new URLSearchParams(isAddressed() ? location.hash.slice(NAME.length) : "");
    for (const name of FIELDS) inputs[name].value = kept.get(name) ?? "";
    for (const input of Object.values(inputs)) if (input.selectedIndex === -1) input.selectedIndex = 0;
    apply(Number(kept.get("row")) || 0, false);
    if (isAddressed()) panel.scrollIntoView();
  }

  // ---- the list and one rollout

  function go(row, isRemembered = true) {
    place = Math.min(Math.max(row, 0), Math.max(found.length - 1, 0));
    const first = place - (place % PER_PAGE);
    const rows = panel.querySelector(".rows");
    rows.replaceChildren(...found.slice(first, first + PER_PAGE).map((hit, offset) => rowOf(hit, first + offset)));
    if (found.length) rows.setAttribute("aria-activedescendant", `rollout-${place}`);
    else rows.removeAttribute("aria-activedescendant");
    const [earlier, where, later] = panel.querySelector(".pages").children;
    earlier.disabled = first === 0;
    later.disabled = first + PER_PAGE >= found.length;
    where.textContent = found.length ? `${number(first + 1)} to ${number(Math.min(first + PER_PAGE, found.length))}` : "";
    panel.querySelector(".one").replaceChildren(...(found.length ? shown(found[place]) : []));
    if (isRemembered) remember();
  }

  const nameOf = ([stage, step]) => `${head.stages[stage]}${step === null ? "" : ` step ${step}`}`;

  function rowOf(hit, row) {
    const [text, verdict, tokens, , extracted] = rolloutOf(hit);
    const kind = head.kinds[verdict];
    const attributes = { role: "option", id: `rollout-${row}`, "aria-selected": String(row === place), class: "row" };
    const made = element(
      "div", attributes,
      element("b", { class: kindClass(kind) }, kind),
      element("span", {}, [nameOf(hit.group), hit.problem.domain, `${number(tokens)} ${head.unit}`].filter(Boolean).join(", ")),
      element("span", { class: "what" },
        `${clip(hit.problem.prompt || hit.problem.id, 60)}  →  ${clip(extracted ?? text.trim().slice(-60), 60)}`),
    );
    made.addEventListener("click", () => { go(row); panel.querySelector(".rows").focus(); });
    return made;
  }

  function partsOf(text) {
    const [open, close] = head.thought;
    const end = text.lastIndexOf(close);
    const isOpened = text.startsWith(open);
    if (end >= 0) return [text.slice(isOpened ? open.length : 0, end), text.slice(end + close.length)];
    return isOpened ? [text.slice(open.length), null] : [null, text];
  }

  function shown(hit) {
    const [text, verdict, tokens, told, extracted] = rolloutOf(hit);
    const { problem, group, index } = hit;
    const kind = head.kinds[verdict];
    const [thought, rest] = partsOf(text);
    const facts = [`${number(tokens)} ${head.unit}`, told, extracted === null ? "" : `answer ${extracted}`];
    const ended = kind === "cut" ? "(it was cut inside its thought)" : "(it ended inside its thought)";
    return [
      element("h4", {}, problem.id),
      element("div", { class: "text" }, problem.prompt || "(its prompt was not read)"),
      ...(problem.answer ? [element("p", { class: "note" }, `Reference: ${problem.answer}`)] : []),
      element("p", { class: "side-of" },
        element("b", { class: kindClass(kind) }, kind), ` ${nameOf(group)}, rollout ${index + 1} of ${group[2].length}`),
      element("p", { class: "note" }, facts.filter(Boolean).join(", ")),
      ...(!thought || !thought.trim() ? [] : [element("div", { class: "text thought" }, thought.trim())]),
      element("div", { class: "text said" }, rest === null ? ended : rest.trim() || "(nothing after the thought)"),
      element("h4", {}, "The answers to this problem"),
      element("div", { class: "stages-of" }, ...problem.groups.flatMap((other) => strip(problem, other, hit))),
    ];
  }

  function strip(problem, group, hit) {
    const marks = group[2].map((which, index) => {
      const kind = head.kinds[problem.different[which][1]];
      const name = `${nameOf(group)}, rollout ${index + 1}: ${kind}`;
      const isThis = group === hit.group && index === hit.index;
      const attributes = { type: "button", class: kindClass(kind), title: plain(name), "aria-label": plain(name) };
      const button = element("button", isThis ? { ...attributes, "aria-current": "true" } : attributes, MARKS[kind]);
      button.addEventListener("click", () => {
        panel.querySelector(".one").replaceChildren(...shown({ problem, group, index }));
        panel.querySelector('.one [aria-current="true"]').focus();
      });
      return button;
    });
    return [element("span", {}, nameOf(group)), element("span", {}, ...marks)];
  }

  // ---- keys

  const isTyping = (target) => target instanceof HTMLElement && target.matches("input, select, textarea");

  function moved(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
    const last = found.length - 1;
    const steps = {
      j: place + 1, ArrowDown: place + 1, k: place - 1, ArrowUp: place - 1,
      PageDown: place + PER_PAGE, PageUp: place - PER_PAGE, Home: 0, End: last,
    };
    if (!Object.hasOwn(steps, event.key)) return;
    if (event.key.length > 1 && !event.target.matches(".rows")) return; // arrows scroll elsewhere
    event.preventDefault();
    go(steps[event.key]);
    panel.querySelector(".rows").focus({ preventScroll: true });
    panel.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (!panel.contains(event.target) && event.target !== document.body) return;
    event.preventDefault();
    begun().then(() => { panel.scrollIntoView(); inputs.q?.focus(); });
  });

  // ---- nothing is unpacked before somebody comes to it

  window.addEventListener("hashchange", () => { if (isAddressed()) (loading ? begun().then(restore) : begun()); });
  if (isAddressed()) begun();
  else new IntersectionObserver((seen, observer) => {
    if (seen.some((one) => one.isIntersecting)) { observer.disconnect(); begun(); }
  }, { rootMargin: "400px" }).observe(panel);
})();
