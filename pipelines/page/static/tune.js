// Tune: what another share would keep, with the pairs at its threshold; and the selection of it.

import { showTuning } from "/tuning-module/tuning.js";
import { begin, whenReady } from "/static/index.js";
import { makeCard } from "/static/pairs.js";
import { ask, counted, make, post, showAlert } from "/static/requests.js";

const by = (id) => document.getElementById(id);
const form = document.querySelector("form");
const PAUSE_MS = 150;

let version = "";
let table = null;
let row = 0;
let names = new Map(); // of labels that were offered, by id
let timer = 0;
const nAsked = { table: 0, edges: 0 }; // answers that come after a later request are left out

const report = (error) => showAlert(error.message);

function scope() {
  return form.label.value ? { label: form.label.value, below: Number(form.below.checked) } : {};
}

async function showTable(share) {
  const number = ++nAsked.table;
  const content = await ask(`/tuning/${version}?${new URLSearchParams(scope())}`);
  if (number !== nAsked.table) return;
  showAlert("");
  table = content;
  const name = names.get(form.label.value) ?? form.label.value;
  by("scope").replaceChildren(...(name ? [make("bdi", {}, name), form.below.checked ? " and all labels below it" : ""] : ["All labels"]));
  const isEmpty = !table.share.length;
  for (const element of [by("tuning"), ...document.querySelectorAll("#content > section")]) element.hidden = isEmpty;
  by("use").disabled = isEmpty;
  if (isEmpty) return showAlert("There is no candidate of this label; those below it may have some.");
  const choose = showTuning(by("tuning"), table, onChange);
  if (share !== undefined) choose(share);
}

function onChange(chosen) {
  row = chosen;
  clearTimeout(timer);
  timer = setTimeout(() => showEdges().catch(report), PAUSE_MS);
}

async function showEdges() {
  const number = ++nAsked.edges;
  const sides = await ask(`/edges/${version}?${new URLSearchParams({ ...scope(), share: table.share[row] })}`);
  if (number !== nAsked.edges) return;
  for (const list of document.querySelectorAll(".cards")) {
    const { side } = list.dataset;
    const cards = sides[side].map((pair) => makeCard(version, pair, true, side !== "below"));
    list.parentElement.hidden = side === "worst" && !cards.length;
    list.replaceChildren(...(cards.length ? cards : [make("li", { class: "muted" }, "none")]));
  }
}

async function offerLabels() {
  const { rows } = await ask(`/labels/${version}?${new URLSearchParams({ text: form.label.value, sort: "n", falling: 1 })}`);
  for (const each of rows) names.set(each.label_id, each.name);
  by("labels").replaceChildren(...rows.slice(0, 20).map((each) => make("option", { value: each.label_id }, `${each.name}, ${counted(each.n, "candidate")}`)));
  return rows.some((each) => each.label_id === form.label.value);
}

async function use() {
  const share = table.share[row];
  by("use").disabled = true;
  by("used").textContent = "Selecting …";
  try {
    const done = await post("/select", { share });
    const percent = (each) => `${(100 * each).toFixed(1)} %`;
    by("used").replaceChildren(
      make("p", {}, `Kept ${done.n_kept.toLocaleString("en")} of ${done.n.toLocaleString("en")}: precision ${percent(done.precision)} (${percent(done.precision_low)} to ${percent(done.precision_high)}). The same by a command, and as a line of the configuration:`),
      make("code", { class: "command" }, done.command),
      make("code", { class: "command" }, done.setting));
    await whenReady((ready) => {
      version = ready;
      return showTable(share);
    });
  } catch (error) {
    by("used").textContent = "";
    report(error);
  }
  by("use").disabled = false;
}

form.addEventListener("submit", (event) => event.preventDefault());
form.label.addEventListener("input", () => offerLabels().then((isLabel) => (isLabel || !form.label.value) && showTable()).catch(report));
form.label.addEventListener("change", () => showTable().catch(report));
form.below.addEventListener("change", () => showTable().catch(report));
by("use").addEventListener("click", use);
begin(async (ready) => {
  version = ready;
  await showTable();
  await offerLabels();
});
