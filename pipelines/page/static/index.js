// The index of a run, without which nothing can be browsed or tuned: it is waited for.

import { ask, post, showAlert } from "/static/requests.js";

const AGAIN_MS = 700;

const place = document.getElementById("index");

function show(text, canSelect = false) {
  place.hidden = !text;
  place.querySelector("p").textContent = text;
  place.querySelector(".verdicts").hidden = !canSelect;
}

/** Call onReady with the version of the index, once it is there. */
export async function whenReady(onReady) {
  const { state, version, seconds, error, command } = await ask("/index");
  if (state === "ready") {
    show("");
    document.getElementById("content").hidden = false;
    return onReady(version);
  }
  if (state === "building") {
    show(`Building the index of this selection, once: ${seconds} s …`);
    await new Promise((wake) => setTimeout(wake, AGAIN_MS));
    return whenReady(onReady);
  }
  if (state === "failed") return show(`The index cannot be built: ${error}`);
  show(`There is no selection by the present candidates and judgements: ${command}`, true);
}

/** Wait for the index, and select on demand where there is no selection. */
export function begin(onReady) {
  const start = () => whenReady(onReady).catch((error) => showAlert(error.message));
  place.querySelector("[data-select]").addEventListener("click", async () => {
    show("Selecting …");
    await post("/select", {}).then(() => showAlert(""), (error) => showAlert(error.message));
    start();
  });
  start();
}
