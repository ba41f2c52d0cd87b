// Browse: the table of labels, the images of one, and all that is known of an image.

import { begin } from "/static/index.js";
import { REASONS, makeCard, showPicture } from "/static/pairs.js";
import { ask, counted, make, showAlert } from "/static/requests.js";

const by = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const FALLING = new Set(["n", "n_kept", "n_audits"]);

let version = "";
let order = { sort: "n", falling: true };
let nAsked = 0; // answers that come after a later request are left out

async function get(path, parameters) {
  const number = ++nAsked;
  const content = await ask(`${path}/${version}?${new URLSearchParams(parameters)}`);
  return number === nAsked ? content : null;
}

function showPages(place, { n, start, rows }, size, go) {
  const page = (text, to) => {
    const button = make("button", { type: "button" }, text);
    button.disabled = to < 0 || to >= n || to === start;
    button.addEventListener("click", () => go(to));
    return button;
  };
  const shown = n ? `${(start + 1).toLocaleString("en")} to ${(start + rows.length).toLocaleString("en")} of ${n.toLocaleString("en")}` : "none";
  place.replaceChildren(page("Previous", start - size), ` ${shown} `, page("Next", start + size));
}

async function showLabels(start = 0) {
  const form = by("labels").querySelector("form");
  const content = await get("/labels", { sort: order.sort, falling: Number(order.falling), text: form.text.value, few: Number(form.few.checked), start });
  if (!content) return;
  form.querySelector(".count").textContent = counted(content.n, "label");
  by("labels").querySelector("tbody").replaceChildren(...content.rows.map((row) => {
    const link = make("a", { href: `#label/${encodeURIComponent(row.label_id)}` }, make("bdi", {}, row.name));
    const id = row.name === row.label_id ? [] : [" ", make("span", { class: "muted" }, row.label_id)];
    const precision = row.precision === null ? "–" : `${percent(row.precision)} (${percent(row.low)} to ${percent(row.high)})`;
    return make("tr", {},
      make("th", { scope: "row" }, link, ...id),
      make("td", { class: "number" }, row.n.toLocaleString("en")),
      make("td", { class: "number" }, row.n_kept.toLocaleString("en"), row.is_few ? make("span", { class: "few" }, " few") : ""),
      make("td", { class: "number" }, precision),
      make("td", { class: "number" }, row.n_audits.toLocaleString("en")));
  }));
  showPages(by("labels").querySelector(".pages"), content, 50, showLabels);
  for (const button of document.querySelectorAll("[data-sort]")) {
    const isSorted = button.dataset.sort === order.sort;
    button.parentElement.setAttribute("aria-sort", isSorted ? (order.falling ? "descending" : "ascending") : "none");
  }
}

async function showPairs(label, start = 0) {
  const form = by("pairs").querySelector("form");
  const content = await get("/pairs", { label, which: form.which.value, start });
  if (!content) return;
  by("pairs-title").replaceChildren("Images of ", make("bdi", {}, content.name));
  form.querySelector(".count").textContent = `${counted(content.n, "image")}, the most probable first`;
  by("pairs").querySelector(".cards").replaceChildren(...content.rows.map((pair) => makeCard(version, pair, false)));
  showPages(by("pairs").querySelector(".pages"), content, 48, (to) => showPairs(label, to));
}

function evidenceOf(pair) {
  const lines = pair.evidence.map((vote) => make("li", {}, `${vote.source}: strength ${vote.strength.toFixed(2)}, ${counted(vote.n_pages, "page")} of ${counted(vote.n_hosts, "host")}`));
  if (pair.silent.length) lines.push(make("li", { class: "muted" }, `without a vote: ${pair.silent.join(", ")}`));
  return make("ul", {}, ...lines);
}

async function showImage(number) {
  const mine = ++nAsked;
  const content = await ask(`/pair/${version}/${number}`);
  if (mine !== nAsked) return;
  const section = by("image");
  showPicture(section.querySelector("img"), section.querySelector(".missing"), version, number, "one");
  const facts = { Image: content.image_id, Location: content.location ?? "not known" };
  section.querySelector("dl").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  section.querySelector(".pairs tbody").replaceChildren(...content.labels.map((pair) => make("tr", {},
    make("th", { scope: "row" }, make("a", { href: `#label/${encodeURIComponent(pair.label_id)}` }, make("bdi", {}, pair.name))),
    make("td", { class: "number" }, pair.p.toFixed(3)),
    make("td", {}, REASONS[pair.reason]),
    make("td", {}, evidenceOf(pair)))));
  const texts = content.texts.map((text) => make("tr", {}, make("th", { scope: "row" }, text.source), make("td", {}, text.text)));
  section.querySelector(".texts tbody").replaceChildren(...(texts.length ? texts : [make("tr", {}, make("td", {}, "The run knows no texts of this image."))]));
}

/** Show what the address names: #label/ID, #image/VERSION/NUMBER, or the table. */
async function route() {
  const [kind, ...rest] = location.hash.slice(1).split("/");
  const view = kind === "label" ? "pairs" : kind === "image" ? "image" : "labels";
  for (const name of ["labels", "pairs", "image"]) by(name).hidden = name !== view;
  showAlert("");
  try {
    if (view === "pairs") await showPairs(decodeURIComponent(rest[0]));
    else if (view === "image") await showImage(Number(rest[1]));
    else await showLabels();
    if (view !== "labels") by(`${view}-title`).focus();
  } catch (error) {
    showAlert(error.message);
  }
}

const report = (error) => showAlert(error.message);
for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => {
    const { sort } = button.dataset;
    order = { sort, falling: order.sort === sort ? !order.falling : FALLING.has(sort) };
    showLabels().catch(report);
  });
}
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
by("labels").querySelector("form").addEventListener("input", () => showLabels().catch(report));
by("pairs").querySelector("select").addEventListener("change", route);
by("image").querySelector(".back").addEventListener("click", (event) => { event.preventDefault(); history.back(); });
window.addEventListener("hashchange", () => { if (version) route(); });
begin((ready) => {
  version = ready;
  return route();
});
