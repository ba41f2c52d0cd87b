// Cards of pairs: a picture, its probability and the decision.

import { make } from "/static/requests.js";

export const REASONS = {
  kept: "kept", below_threshold: "dropped: below the threshold", unproved_group: "dropped: nothing in its group is proved",
  over_per_image: "dropped: over the limit of its image", over_per_label: "dropped: over the limit of its label",
  implied: "implied by a kept label",
};

/** Put a picture of a pair into an image, or the reason why there is none beside it. */
export function showPicture(image, missing, version, number, mode) {
  missing.hidden = true;
  image.hidden = false;
  image.onerror = async () => {
    image.hidden = true;
    missing.hidden = false;
    const response = await fetch(image.src).catch(() => null);
    const content = response ? await response.json().catch(() => ({})) : {};
    missing.textContent = `No picture: ${content.error ?? "winnow does not answer"}`;
  };
  image.src = `/pair-image/${version}/${number}?mode=${mode}`;
}

/** Return a card that links to the image of a pair; it is kept as the selection has it, or as given. */
export function makeCard(version, pair, withName, isKept = pair.reason === "kept") {
  const image = make("img", { alt: `${pair.name}, probability ${pair.p.toFixed(3)}`, loading: "lazy" });
  const missing = make("span", { class: "missing" });
  const text = make("span", { class: "text" }, `${withName ? `${pair.name} · ` : ""}${pair.p.toFixed(3)} · ${isKept ? "✓ kept" : "✗ dropped"}`);
  const card = make("a", { href: `/browse#image/${version}/${pair.number}`, class: isKept ? "is-kept" : "is-dropped" }, image, missing, text);
  showPicture(image, missing, version, pair.number, "grid");
  return make("li", {}, card);
}
