// Mistakes of the auditors by known answers, and how far they agree.

const percent = (share) => `${(100 * share).toFixed(0)} %`;

function row(kind, cells) {
  const line = document.createElement("tr");
  line.append(...cells.map((text, i) => {
    const cell = document.createElement(i && kind === "td" ? "td" : "th");
    cell.scope = kind === "td" ? "row" : "col";
    if (i && kind === "td") cell.removeAttribute("scope");
    cell.textContent = text;
    return cell;
  }));
  return line;
}

function rate(mistakes, n, most) {
  return n ? `${mistakes} of ${n} (at most ${percent(most)})` : "none judged";
}

/** Show what /auditors returned in a dialog. */
export function showAuditors(dialog, { known, agreement, confidence }) {
  const table = dialog.querySelector("table");
  table.hidden = !known.length;
  table.tHead.replaceChildren(row("th", ["Auditor", "Mode", "Wrong, called right", "Right, called wrong"]));
  table.tBodies[0].replaceChildren(...known.map((each) => row("td", [
    each.auditor, each.mode,
    rate(each.n_wrong_called_right, each.n_wrong, each.most_of_wrong),
    rate(each.n_right_called_wrong, each.n_right, each.most_of_right),
  ])));
  const lines = [known.length ? `Bounds are the upper ends of ${100 * confidence} % intervals.` : "No pair with a known answer has been judged yet. Known are pairs on which two others agree, and those of a file: --known FILE."];
  if (agreement.n_pairs) {
    const kappa = agreement.kappa === null ? "" : `, kappa ${agreement.kappa.toFixed(2)}`;
    lines.push(`Auditors agree in ${percent(agreement.share)} of ${agreement.n_pairs} pairs that several have judged${kappa}.`);
  }
  dialog.querySelector("p").textContent = lines.join(" ");
  dialog.showModal();
}
