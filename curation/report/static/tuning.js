// Precision against the share kept, with a slider: showTuning(root, table) fills an element.
// The table is that of curation.report.tuning, with target, confidence, command and perhaps chosen.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 272;
const MARGIN = { left: 46, right: 14, top: 18, bottom: 44 };
const MIN_AUDITS = 8; // with fewer, a bound does not stretch the scale
const MAX_NAMES = 6;

const count = (n) => Math.round(n).toLocaleString("en-US");
const percent = (share) => (share == null ? "–" : `${(100 * share).toFixed(1)}\u00a0%`);
const plain = (share) => String(Number((100 * share).toFixed(4)));

function make(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

function draw(svg, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  svg.append(element);
  return element;
}

/** Return the numbers of a row as texts, by the names of the list. */
export function numbersOf(table, row) {
  const n = table.n_kept[row];
  const precision = table.precision[row], low = table.low[row], high = table.high[row];
  const bounds = `${percent(low)} to ${percent(high)}, from ${count(table.n_audits[row])} audits`;
  const lost = table.labels_lost[row];
  return {
    kept: [count(n), `of ${count(table.n_candidates)}, ${percent(n / table.n_candidates)}`],
    precision: [percent(precision), bounds],
    wrong: [precision == null ? "–" : count(n * (1 - precision)), `${count(n * (1 - high))} to ${count(n * (1 - low))}`],
    few: [count(table.labels_few[row]), `of ${count(table.n_labels)}${lost ? `, ${count(lost)} of them without any` : ""}${namesOf(table, row)}`],
  };
}

/** Return the names of labels with few images, those with most candidates first. */
function namesOf(table, row) {
  const names = (table.labels ?? []).filter((label) => row < label.n_rows).map((label) => label.name);
  if (!names.length) return "";
  return `: ${names.slice(0, MAX_NAMES).join(", ")}${table.labels_few[row] > MAX_NAMES ? ", …" : ""}`;
}

/** Return the command that keeps the share of a row. */
export function commandOf(table, row) {
  return `${table.command} --keep ${table.share[row]}`;
}

/** Return the row whose share is nearest. */
function nearest(table, share) {
  let best = 0;
  table.share.forEach((each, row) => { if (Math.abs(each - share) < Math.abs(table.share[best] - share)) best = row; });
  return best;
}

function scales(table, width) {
  const bounds = table.low.filter((_, row) => table.precision[row] != null && table.n_audits[row] >= MIN_AUDITS);
  const lowest = Math.min(0.95, table.target, ...bounds, ...table.precision.filter((p) => p != null));
  const bottom = Math.max(0, Math.floor(lowest * 10) / 10);
  const inner = width - MARGIN.left - MARGIN.right, tall = HEIGHT - MARGIN.top - MARGIN.bottom;
  return {
    bottom,
    x: (share) => MARGIN.left + share * inner,
    y: (precision) => MARGIN.top + ((1 - Math.max(precision, bottom)) / (1 - bottom)) * tall,
  };
}

function drawAxes(svg, { bottom, x, y }, width) {
  const step = bottom < 0.5 ? 0.2 : 0.1;
  for (let at = 1; at > bottom - 1e-9; at -= step) {
    draw(svg, "line", { class: "grid", x1: x(0), x2: x(1), y1: y(at), y2: y(at) });
    draw(svg, "text", { x: x(0) - 8, y: y(at) + 4, "text-anchor": "end" }, `${Math.round(100 * at)} %`);
  }
  for (const at of width < 480 ? [0, 0.5, 1] : [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    draw(svg, "text", { x: x(at), y: HEIGHT - 24, "text-anchor": at === 1 ? "end" : "middle" }, `${Math.round(100 * at)} %`);
  }
  draw(svg, "text", { x: x(0), y: 10 }, "precision");
  draw(svg, "text", { x: x(1), y: HEIGHT - 6, "text-anchor": "end" }, "share of the candidate labels kept");
}

function drawCurve(svg, table, { x, y }) {
  const rows = table.share.map((_, row) => row).filter((row) => table.precision[row] != null);
  const points = (column, order) => order.map((row) => `${x(table.share[row]).toFixed(1)},${y(table[column][row]).toFixed(1)}`).join(" ");
  draw(svg, "polygon", { class: "band", points: `${points("high", rows)} ${points("low", rows.slice().reverse())}` });
  draw(svg, "polyline", { class: "curve", points: points("precision", rows) });
}

function drawMarks(svg, table, { x, y }) {
  draw(svg, "line", { class: "target", x1: x(0), x2: x(1), y1: y(table.target), y2: y(table.target) });
  draw(svg, "text", { x: x(1), y: y(table.target) - 5, "text-anchor": "end" }, `target ${percent(table.target)}`);
  draw(svg, "line", { class: "third", x1: x(table.third), x2: x(table.third), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom });
  draw(svg, "text", { x: x(table.third) + 4, y: HEIGHT - MARGIN.bottom - 5 }, "a third");
  const chosen = table.chosen;
  if (chosen && chosen.precision != null) draw(svg, "circle", { class: "chosen", cx: x(chosen.share), cy: y(chosen.precision), r: 5 });
}

/** Return a function that moves the cursor of a chart to a row. */
function drawChart(svg, table, width) {
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const scale = scales(table, width), { x, y } = scale;
  drawAxes(svg, scale, width);
  drawCurve(svg, table, scale);
  drawMarks(svg, table, scale);
  const line = draw(svg, "line", { class: "cursor", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom });
  const bound = draw(svg, "line", { class: "bound" });
  const point = draw(svg, "circle", { class: "point", r: 6 });
  const move = (element, values) => { for (const [key, value] of Object.entries(values)) element.setAttribute(key, value); };
  return (row) => {
    const at = x(table.share[row]), precision = table.precision[row];
    move(line, { x1: at, x2: at });
    move(bound, { x1: at, x2: at, y1: y(table.low[row]), y2: y(table.high[row]) });
    move(point, { cx: at, cy: y(precision ?? 0), visibility: precision == null ? "hidden" : "visible" });
  };
}

/**
 * Fill an element with the curve, the slider, the field, the numbers and the command.
 *
 * onChange, if given, gets the number of a row when it is chosen. Returns a function that chooses
 * the row nearest to a share.
 */
export function showTuning(root, table, onChange = () => {}) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Precision by share kept, with its interval; the numbers below are those of the slider");
  const slider = make("input", { type: "range", min: 0, max: table.share.length - 1, step: 1 });
  const field = make("input", { type: "number", min: plain(table.share[0]), max: 100, step: "any", inputmode: "decimal" });
  const labels = {
    kept: "labels kept", precision: `precision, ${plain(table.confidence)} % interval`,
    wrong: "expected wrong labels", few: `labels with fewer than ${table.few} images`,
  };
  const values = {};
  const list = make("dl", {}, ...Object.entries(labels).map(([name, label]) => {
    values[name] = [make("b"), make("span")];
    return make("div", { "data-name": name }, make("dt", {}, label), make("dd", {}, ...values[name]));
  }));
  const command = make("code", { class: "command" });
  const status = make("p", { class: "unseen", role: "status" });
  let row = 0, moveCursor = () => {}, timer = 0;

  function choose(next, isTyped = false) {
    row = next;
    slider.value = row;
    if (!isTyped) field.value = plain(table.share[row]);
    const numbers = numbersOf(table, row);
    for (const [name, [main, note]] of Object.entries(numbers)) {
      values[name][0].textContent = main;
      values[name][1].textContent = note;
    }
    slider.setAttribute("aria-valuetext", `${plain(table.share[row])} % kept, precision ${numbers.precision[0]}`);
    command.textContent = commandOf(table, row);
    moveCursor(row);
    onChange(row);
    clearTimeout(timer);
    timer = setTimeout(() => {
      status.textContent = Object.keys(labels).map((name) => `${labels[name]}: ${numbers[name].join(", ")}`).join("; ");
    }, 600);
  }

  slider.addEventListener("input", () => choose(Number(slider.value)));
  field.addEventListener("input", () => { if (field.value !== "") choose(nearest(table, field.valueAsNumber / 100), true); });
  field.addEventListener("change", () => choose(row));
  const controls = make("div", { class: "controls" }, make("label", {}, "Share kept ", slider), make("label", {}, field, " % of the candidates"));
  root.classList.add("tuning");
  root.replaceChildren(svg, controls, list, command, status);
  let width = 0;
  new ResizeObserver(() => {
    if (!svg.clientWidth || svg.clientWidth === width) return;
    width = svg.clientWidth;
    moveCursor = drawChart(svg, table, width);
    moveCursor(row);
  }).observe(svg);
  choose(nearest(table, table.chosen ? table.chosen.share : table.keep));
  return (share) => choose(nearest(table, share));
}
