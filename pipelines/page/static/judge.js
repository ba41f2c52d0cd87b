// The audit page: shows open pairs one by one, in grids of one label or in a stream, and sends verdicts.

import { showAuditors } from "/static/auditors.js";
import { actionOf, showKeys, takeKey } from "/static/keys.js";
import { ask, counted, post, showAlert } from "/static/requests.js";
import { makeSaver } from "/static/saving.js";
import { makeStream } from "/static/stream.js";

const BLOCK = 120; // pairs that grids finish before the next: only the start of a draw counts, without gaps
const GROWTH = 0.5; // later blocks are this share of what counts: grids of many labels are fuller
const N_AHEAD = 12; // pictures that are loaded ahead
const N_STREAMED = 20; // pictures of a stream before its marks are checked
const RETRY_MS = 2000; // until a picture is asked for again
const TAB = Number(document.body.dataset.tab);

const by = (id) => document.getElementById(id);
const views = { one: by("one"), grid: by("grid"), rapid: by("rapid"), end: by("end") };

let queue = []; // open questions, [number, label, picture and label], in the order of the draw
let block = new Set(); // the first of them, which grids finish before others
let labels = {};
let mode = "one";
let view = "end"; // section that is shown; the marks of a stream are checked in the grid
let screen = []; // questions that are shown
let marks = new Map(); // verdict of each tile
let byHand = new Set(); // tiles that were marked by hand: they keep it in another size, or turned round
let isInverted = false; // in a grid everything is right unless it is marked; inverted: wrong
let shownAt = 0;
let visible = new Set(); // tiles that are on the screen
let seen = new Set(); // tiles that were on the screen with their picture
let isEnded = false;
let pace = null; // pairs an hour
let nCounted = 0;
const past = []; // screens that were judged with their verdicts, for taking them back
const unshown = new Set(); // pairs whose picture cannot be shown: nobody can know
let refused = ""; // why verdicts were not taken
const ahead = new Map(); // pictures that are loaded ahead

const save = makeSaver({
  onState: showState,
  onWaiting: (n, problem) => showAlert(n ? `Not saved yet: ${counted(n, "screen")}. ${problem}` : refused),
  onRefused: (problem) => {
    refused = `A screen of verdicts is not taken, and its pairs are asked again later: ${problem}`;
    showAlert(refused);
  },
  onEnd: (problem, n) => {
    isEnded = true;
    showAlert(`${problem}${n ? `\nNot saved: ${counted(n, "screen")}.` : ""}\nReload this page to go on here.`);
  },
});

const stream = makeStream({
  section: views.rapid,
  show: (number) => showPicture(views.rapid.querySelector("img"), views.rapid.querySelector(".missing"), number),
  markOf: (number) => marks.get(number),
  onEnd: () => showIn("grid"),
});

const observer = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    visible[isIntersecting ? "add" : "delete"](Number(target.dataset.number));
  }
  noteSeen();
}, { threshold: 0.5 });

async function loadQueue() {
  const content = await ask("/queue");
  queue = content.questions;
  labels = content.labels;
  showNext();
}

function pictureOf(number, kind) {
  return `/image/${number}?mode=${kind}`;
}

function loadAhead() {
  const next = mode === "one" ? queue.slice(0, N_AHEAD) : [...screen, ...nextGrid(new Set(screen))];
  const wanted = new Set(next.map(([number]) => pictureOf(number, mode)));
  for (const url of ahead.keys()) if (!wanted.has(url)) ahead.delete(url);
  for (const url of wanted) {
    if (ahead.has(url)) continue;
    const image = new Image();
    image.src = url;
    ahead.set(url, image);
  }
}

/** Return the pairs of the label that has most in the block, as many as a grid holds. */
function nextGrid(without) {
  let open = queue.filter((question) => block.has(question) && !without.has(question));
  if (!open.length) {
    block = new Set(queue.filter((question) => !without.has(question)).slice(0, Math.max(BLOCK, GROWTH * nCounted)));
    open = [...block];
  }
  const byLabel = Map.groupBy(open, ([, label]) => label);
  const most = [...byLabel.values()].reduce((a, b) => (b.length > a.length ? b : a), []);
  const distinct = new Map(most.map((question) => [question[2], question]).reverse()); // a repeat waits for its first
  return most.filter((question) => distinct.get(question[2]) === question).slice(0, mode === "rapid" ? N_STREAMED : across() ** 2);
}

function across() {
  return mode === "rapid" ? 5 : Number(by("size").value);
}

function showNext() {
  show(mode === "one" ? queue.slice(0, 1) : nextGrid(new Set()));
}

/** Show the open pairs of the label again, in another size or turned round, with the marks made by hand. */
function showAgain() {
  show(nextGrid(new Set()), Object.fromEntries([...byHand].map((number) => [number, marks.get(number)])));
}

/** Show pairs; those that were judged before keep their verdicts as marks. */
function show(pairs, verdicts = {}) {
  screen = pairs;
  byHand = new Set(screen.map(([number]) => number).filter((number) => number in verdicts));
  marks = new Map(screen.map(([number]) => [number, verdicts[number] ?? (isInverted && mode === "grid" ? "no" : "yes")]));
  const isChecked = mode === "rapid" && Object.keys(verdicts).length > 0;
  shownAt = performance.now();
  showIn(!screen.length ? "end" : isChecked ? "grid" : mode);
}

function showIn(name) {
  view = name;
  visible = new Set();
  seen = new Set(mode === "rapid" ? screen.map(([number]) => number) : []); // a stream has shown all
  stream.stop();
  for (const [each, section] of Object.entries(views)) section.hidden = each !== view;
  if (view === "one") showOne();
  if (view === "grid") showGrid();
  if (view === "rapid") {
    showLabel(views.rapid);
    stream.begin(screen.map(([number]) => number));
  }
  loadAhead();
}

function showLabel(section) {
  const label = labels[screen[0][1]];
  section.querySelector(".label").textContent = label.name;
  const list = (text, names) => names.length ? `${text} ${names.join(", ")}` : "";
  const sense = [label.gloss, list("a kind of", label.parents), list("also:", label.others.slice(0, 6)), list("with", label.below), list("beside it:", label.beside)];
  section.querySelector(".sense").textContent = sense.filter(Boolean).join(" · ");
}

function showOne() {
  const [number] = screen[0];
  showLabel(views.one);
  const image = views.one.querySelector("img");
  showPicture(image, views.one.querySelector(".missing"), number);
  by("evidence").open = false;
}

/** Show a picture once it is loaded; until then an image would show the one before. */
function showPicture(image, missing, number) {
  missing.hidden = true;
  image.hidden = false;
  image.dataset.state = "loading";
  image.onload = () => {
    image.dataset.state = "loaded";
    if (view === "one") shownAt = performance.now();
    else if (view === "grid") noteSeen();
    else stream.shown(number);
  };
  image.onerror = () => showMissing(image, missing, number);
  image.dataset.number = number;
  image.src = pictureOf(number, mode);
}

async function showMissing(image, missing, number) {
  const isShown = () => image.isConnected && image.dataset.number === String(number) && image.dataset.state === "loading";
  image.hidden = true;
  missing.hidden = false;
  missing.textContent = "No picture";
  const response = await fetch(image.src).catch(() => null);
  const content = response ? await response.json().catch(() => ({})) : {};
  if (!isShown()) return;
  missing.textContent = `No picture: ${content.error ?? (response ? `status ${response.status}` : "winnow does not answer")}`;
  if (![404, 500].includes(response?.status)) { // it may be there yet
    setTimeout(() => isShown() && showPicture(image, missing, number), RETRY_MS);
    return;
  }
  image.dataset.state = "missing";
  unshown.add(number);
  if (view === "one") {
    missing.textContent += ". The pair can only be unsure.";
    return;
  }
  marks.set(number, "unsure");
  if (view === "rapid") stream.shown(number);
  else {
    setMark(number, "unsure");
    noteSeen();
  }
}

function showGrid() {
  showLabel(views.grid);
  views.grid.querySelector(".ask").textContent = mode === "rapid" ? "Check: marked is what does not show" : isInverted ? "Mark what shows" : "Mark what does not show";
  views.grid.querySelector("[data-action=invert]").hidden = mode === "rapid";
  const tiles = views.grid.querySelector(".tiles");
  const narrow = Math.min(window.innerWidth < 480 ? 3 : across(), Math.max(screen.length, 2));
  tiles.style.setProperty("--across", narrow);
  tiles.style.setProperty("--down", Math.ceil(screen.length / narrow));
  observer.disconnect();
  tiles.replaceChildren(...screen.map(([number], i) => makeTile(number, i)));
  for (const tile of tiles.querySelectorAll("button")) observer.observe(tile);
  for (const [number] of screen) setMark(number, marks.get(number));
  tiles.querySelector("button").focus({ preventScroll: true });
  showCount();
}

function makeTile(number, i) {
  const item = document.createElement("li");
  const tile = document.createElement("button");
  tile.type = "button";
  tile.dataset.number = number;
  const image = document.createElement("img");
  image.alt = `Picture ${i + 1}`;
  const missing = document.createElement("p");
  missing.className = "missing";
  missing.hidden = true;
  const mark = document.createElement("span");
  mark.className = "mark";
  tile.append(image, missing, mark);
  if (i < 9) {
    const digit = document.createElement("kbd");
    digit.className = "digit";
    digit.textContent = i + 1;
    tile.append(digit);
  }
  tile.addEventListener("click", () => turn(number));
  item.append(tile);
  showPicture(image, missing, number);
  return item;
}

function turn(number) {
  const order = isInverted && mode === "grid" ? ["no", "yes", "unsure"] : ["yes", "no", "unsure"];
  markTile(number, order[(order.indexOf(marks.get(number)) + 1) % order.length]);
}

/** Mark a tile by hand, unless its picture cannot be shown. */
function markTile(number, verdict) {
  if (unshown.has(number) || !marks.has(number)) return;
  byHand.add(number);
  setMark(number, verdict);
}

function setMark(number, verdict) {
  const tile = views.grid.querySelector(`button[data-number="${number}"]`);
  if (!tile) return;
  marks.set(number, verdict);
  tile.dataset.verdict = verdict;
  tile.querySelector(".mark").textContent = { yes: "✓ right", no: "✗ wrong", unsure: "? unsure" }[verdict];
}

/** Note the tiles that are on the screen with their picture, or the reason why there is none: only those count. */
function noteSeen() {
  for (const image of views.grid.querySelectorAll(".tiles img")) {
    const number = Number(image.dataset.number);
    if (visible.has(number) && image.dataset.state !== "loading") seen.add(number);
  }
  showCount();
}

function shownTiles() {
  return screen.filter(([number]) => seen.has(number));
}

function showCount() {
  const n = shownTiles().length;
  views.grid.querySelector(".confirm .n").textContent = n === screen.length ? `${n}` : `${n} of ${screen.length} shown`;
}

function judge(verdicts) {
  const judged = screen.filter(([number]) => number in verdicts);
  if (!judged.length || isEnded) return;
  save({ tab: TAB, mode, ms: Math.round(performance.now() - shownAt), verdicts });
  past.push({ judged, mode, verdicts });
  const done = new Set(judged);
  queue = queue.filter((question) => !done.has(question));
  showNext();
}

function confirm() {
  judge(Object.fromEntries(shownTiles().map(([number]) => [number, marks.get(number)])));
}

function undo() {
  const last = past.pop();
  if (!last || isEnded) return;
  save({ tab: TAB, mode: last.mode, ms: 0, verdicts: Object.fromEntries(last.judged.map(([number]) => [number, ""])) });
  queue = [...last.judged, ...queue];
  for (const question of last.judged) block.add(question);
  setMode(last.mode, () => show(last.judged, last.verdicts));
}

function markAs(verdict) {
  return (number) => { if (!unshown.has(number)) marks.set(number, verdict); };
}

/** Judge the pair that is shown, as soon as its picture is; in a grid mark the tile in focus. */
function judgeOne(verdict) {
  if (view === "rapid") stream.mark(markAs(verdict));
  if (view === "grid") markTile(Number(document.activeElement.dataset.number), verdict);
  if (view !== "one") return;
  const { state } = views.one.querySelector("img").dataset;
  if (state === "loaded" || (state === "missing" && verdict === "unsure")) judge({ [screen[0][0]]: verdict });
}

function setMode(chosen, showScreen = showNext) {
  mode = chosen;
  for (const button of document.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  by("size").parentElement.hidden = mode !== "grid";
  by("pace").parentElement.hidden = mode !== "rapid";
  showScreen();
}

async function look() {
  showLook("Importing the verdicts and measuring the precision …");
  try {
    const found = await post("/look", { tab: TAB });
    const decimals = (share) => share.toFixed(3).replace(/^0/, "");
    const left = found.n_next - found.n_audits;
    const minutes = pace ? `, ${Math.max(1, Math.round(60 * left / pace))} min at your pace` : "";
    const more = found.is_narrow ? "it is as narrow as asked for" : `about ${counted(left, "more pair")}${minutes} for a width of ${decimals(found.width)}`;
    showLook(`Precision of the share to be kept: ${decimals(found.precision)} (${decimals(found.low)} to ${decimals(found.high)}, look ${found.number}, from ${counted(found.n_audits, "pair")}); ${more}`);
  } catch (error) {
    showLook("");
    showAlert(error.message);
  }
}

function showLook(text) {
  by("look").hidden = !text;
  by("look").textContent = text;
}

async function draw() {
  showAlert("Importing the verdicts and drawing further pairs …");
  try {
    await post("/draw", { tab: TAB });
    showAlert("");
    await loadQueue();
    showState(await ask("/state"));
  } catch (error) {
    showAlert(error.message);
  }
}

async function showEvidence() {
  const place = by("evidence").querySelector("div");
  if (!by("evidence").open || !screen.length) return;
  const [number, label] = screen[0];
  place.textContent = "…";
  const content = await ask(`/evidence/${number}`).catch((error) => ({ votes: [], texts: [], problem: error.message }));
  if (screen[0]?.[0] !== number) return;
  const names = [labels[label].name, ...labels[label].others];
  const votes = content.votes.map((vote) => row(vote.source, `strength ${vote.strength.toFixed(2)} on ${counted(vote.n_pages, "page")} of ${counted(vote.n_hosts, "host")}`));
  const texts = content.texts.map((text) => row(text.source, text.text, names));
  const table = document.createElement("table");
  table.append(...votes, ...texts);
  place.replaceChildren(content.problem ?? (votes.length + texts.length ? table : "There is no evidence in this run."));
}

function row(source, text, names = []) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = source;
  const cell = document.createElement("td");
  cell.append(...marked(text, names));
  line.append(head, cell);
  return line;
}

function marked(text, names) {
  if (!names.length) return [text];
  const pattern = new RegExp(`(${names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "giu");
  return text.split(pattern).map((part, i) => {
    if (i % 2 === 0) return part;
    const mark = document.createElement("mark");
    mark.textContent = part;
    return mark;
  });
}

function showState(state) {
  pace = state.per_hour;
  nCounted = state.counted;
  by("progress").max = Math.max(state.drawn, 1);
  by("progress").value = state.counted;
  const parts = [`${state.judged.toLocaleString("en")} judged`, `${state.open.toLocaleString("en")} open`, `${state.counted.toLocaleString("en")} of ${state.drawn.toLocaleString("en")} drawn pairs count`];
  if (state.twice) parts.push(`${state.same} of ${state.twice} asked twice have the same verdict`);
  if (state.per_hour && state.open) parts.push(`${state.per_hour.toLocaleString("en")} an hour, about ${Math.max(1, Math.round(60 * state.open / state.per_hour))} min to go`);
  by("counts").textContent = parts.join(" · ");
}

const ACTIONS = {
  yes: () => judgeOne("yes"),
  no: () => judgeOne("no"),
  unsure: () => judgeOne("unsure"),
  undo,
  confirm: () => {
    if (view === "grid") confirm();
    else if (view === "rapid") stream.turn();
  },
  before: () => view === "rapid" && stream.markBefore(markAs("no")),
  faster: () => stream.changePace(1 / 1.1),
  slower: () => stream.changePace(1.1),
  invert: () => { if (mode === "grid") { isInverted = !isInverted; showAgain(); } },
  evidence: () => { if (mode === "one") by("evidence").open = !by("evidence").open; },
  help: () => {
    stream.pause();
    if (by("help").open) by("help").close();
    else by("help").showModal();
  },
  draw,
  look,
  auditors: () => {
    stream.pause();
    ask("/auditors").then((content) => showAuditors(by("auditors"), content)).catch((error) => showAlert(error.message));
  },
};

function moveFocus(key) {
  const tiles = [...views.grid.querySelectorAll(".tiles button")];
  const at = tiles.indexOf(document.activeElement);
  const down = Number(getComputedStyle(views.grid.querySelector(".tiles")).getPropertyValue("--across"));
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: down, ArrowUp: -down }[key];
  if (step === undefined || view !== "grid" || !tiles.length) return false;
  tiles[Math.min(Math.max(at + step, 0), tiles.length - 1)].focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (takeKey(event)) return;
  const isControl = event.target.closest("select, input:not([type=range]), dialog, summary");
  if (isControl && event.key !== "?") return;
  if (event.repeat && !event.key.startsWith("Arrow")) return; // a key that is held down would judge what nobody has seen
  const action = actionOf(event);
  const onButton = event.target.closest("button:not(.tiles button)");
  if (action && !(onButton && event.key === "Enter")) {
    event.preventDefault();
    ACTIONS[action]();
  } else if (view === "grid" && /^[1-9]$/.test(event.key) && screen[event.key - 1]) {
    turn(screen[event.key - 1][0]);
  } else if (!event.target.matches("input") && moveFocus(event.key)) {
    event.preventDefault();
  }
});
for (const button of document.querySelectorAll("[data-action]")) button.addEventListener("click", () => ACTIONS[button.dataset.action]());
for (const button of document.querySelectorAll("[data-mode]")) button.addEventListener("click", () => setMode(button.dataset.mode));
by("help-button").addEventListener("click", ACTIONS.help);
by("size").addEventListener("change", showAgain);
by("evidence").addEventListener("toggle", showEvidence);

showKeys();
setMode("one");
views.end.hidden = true;
ask("/state").then(showState).then(loadQueue).catch((error) => showAlert(error.message));
