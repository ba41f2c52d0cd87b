// A stream of pictures at a pace that a person sets: it starts, and stops, only by a key or button.

const LEAST_S = 0.35; // more than three changes a second may cause seizures (WCAG 2.3.1)
const MOST_S = 5;
const STORE = "winnow-audit-pace";

/**
 * Return a stream of pictures.
 *
 * show loads the picture of a number, after which shown() is to be called; markOf returns the mark of
 * a number, and onEnd is called after the last picture has had its time.
 */
export function makeStream({ section, show, markOf, onEnd }) {
  const pace = document.getElementById("pace");
  let numbers = [];
  let at = 0;
  let isRunning = false;
  let isShown = false; // whether the picture is there
  let timer = 0;

  const stored = Number(localStorage.getItem(STORE));
  setPace(stored || Number(pace.value));

  function setPace(seconds) {
    pace.value = Math.min(Math.max(seconds, LEAST_S), MOST_S);
    document.getElementById("pace-text").textContent = `${Number(pace.value).toFixed(2)} s`;
    localStorage.setItem(STORE, pace.value);
  }

  function showAt(position) {
    at = position;
    isShown = false;
    clearTimeout(timer);
    show(numbers[at]);
    showMarks();
  }

  function wait() {
    clearTimeout(timer);
    if (isRunning && isShown) timer = setTimeout(next, 1000 * Number(pace.value));
  }

  function next() {
    if (at + 1 < numbers.length) showAt(at + 1);
    else onEnd();
  }

  function setRunning(value) {
    isRunning = value;
    section.querySelector(".turn").textContent = isRunning ? "Stop" : "Start";
    wait();
  }

  function showMarks() {
    const text = { yes: "✓ right", no: "✗ wrong", unsure: "? unsure" };
    const now = markOf(numbers[at]);
    section.querySelector("figure").dataset.verdict = now;
    section.querySelector(".mark").textContent = text[now];
    section.querySelector(".before").textContent = at ? `before: ${text[markOf(numbers[at - 1])]}` : "";
    section.querySelector(".at").textContent = `${at + 1} of ${numbers.length}`;
  }

  const stream = {
    begin(ordered) {
      numbers = ordered;
      showAt(0);
      setRunning(false);
      section.querySelector(".confirm").focus({ preventScroll: true });
    },
    shown(number) {
      if (number !== numbers[at]) return;
      isShown = true;
      showMarks();
      wait();
    },
    mark(set) {
      if (isShown) set(numbers[at]);
      showMarks();
    },
    markBefore(set) {
      if (at) set(numbers[at - 1]);
      showMarks();
    },
    turn: () => setRunning(!isRunning),
    pause: () => setRunning(false),
    stop() {
      isRunning = false;
      clearTimeout(timer);
    },
    changePace: (factor) => setPace(Number(pace.value) * factor),
  };
  pace.addEventListener("input", () => setPace(Number(pace.value)));
  document.addEventListener("visibilitychange", () => { if (document.hidden) stream.pause(); });
  return stream;
}
