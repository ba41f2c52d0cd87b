// Requests to the page's own server.

/** Return the JSON of an answer; the error of a refusal has all of its lines. */
export async function ask(path, options) {
  const response = await fetch(path, options);
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  const facts = Object.entries(content.facts ?? {}).map(([name, value]) => `${name}: ${value}`);
  throw new Error([content.error ?? `status ${response.status}`, ...facts, content.help].filter(Boolean).join("\n"));
}

/** Send JSON. */
export function post(path, body) {
  return ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

/** Return an element with attributes and content. */
export function make(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

export function counted(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

export function showAlert(text) {
  const alert = document.getElementById("alert");
  alert.hidden = !text;
  alert.textContent = text;
}
