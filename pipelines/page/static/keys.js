// Keys of actions, which a person may change; the browser keeps them.

const NAMES = {
  yes: "Yes", no: "No", unsure: "Unsure", undo: "Back to the last screen", confirm: "Confirm a grid, start or stop a stream",
  before: "No for the picture before, in a stream", faster: "Faster stream", slower: "Slower stream",
  invert: "Mark the others of a grid", evidence: "Show or hide the evidence", help: "Show the keys",
};
const DEFAULTS = {
  yes: "y", no: "n", unsure: "u", undo: "z", confirm: "Enter",
  before: "b", faster: "+", slower: "-", invert: "i", evidence: "e", help: "?",
};
const STORE = "winnow-audit-keys";

let keys = { ...DEFAULTS, ...read() };
let waiting = null;

function read() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORE)) ?? {};
    return Object.fromEntries(Object.entries(stored).filter(([name, key]) => name in DEFAULTS && typeof key === "string"));
  } catch {
    return {};
  }
}

/** Return the action of a key that was pressed, or undefined. */
export function actionOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return Object.keys(keys).find((action) => keys[action] === key);
}

/** Show the keys on all buttons and in the dialog, where they can be changed. */
export function showKeys() {
  for (const place of document.querySelectorAll("[data-key-of]")) place.textContent = keys[place.dataset.keyOf];
  const rows = Object.keys(NAMES).map((action) => {
    const row = document.createElement("tr");
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = NAMES[action];
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = waiting === action ? "press a key" : keys[action];
    button.setAttribute("aria-label", `Key of ${NAMES[action]}: ${button.textContent}`);
    button.addEventListener("click", () => { waiting = action; showKeys(); focusOn(action); });
    const cell = document.createElement("td");
    cell.append(button);
    row.dataset.action = action;
    row.append(name, cell);
    return row;
  });
  document.getElementById("keys").replaceChildren(...rows);
}

function focusOn(action) {
  document.querySelector(`#keys tr[data-action="${action}"] button`).focus();
}

/** Take a key for the action that waits for one; two actions swap theirs. Return whether it was taken. */
export function takeKey(event) {
  if (waiting === null) return false;
  if (["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return false;
  const action = waiting;
  waiting = null;
  if (event.key !== "Escape") {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const other = Object.keys(keys).find((name) => keys[name] === key);
    if (other) keys[other] = keys[action];
    keys[action] = key;
    localStorage.setItem(STORE, JSON.stringify(keys));
  }
  event.preventDefault();
  showKeys();
  focusOn(action);
  return true;
}
