// Verdicts on their way to the disk: one request after the other, tried again until each is there.

const RETRY_MS = [250, 1000, 3000];

/**
 * Return a function that sends a body to /verdicts after all earlier ones.
 *
 * onState gets the counts after each, onWaiting the number that is not saved and why,
 * onRefused the reason why one is not taken, onEnd why no more are.
 */
export function makeSaver({ onState, onWaiting, onRefused, onEnd }) {
  const waiting = [];
  let isSending = false;
  let ended = false;

  function showWaiting() {
    document.body.dataset.waiting = waiting.length;
  }

  async function sendAll() {
    if (isSending) return;
    isSending = true;
    let attempt = 0;
    while (waiting.length && !ended) {
      const problem = await send(waiting[0]);
      if (problem === null) {
        waiting.shift();
        showWaiting();
        attempt = 0;
      } else if (!ended) {
        onWaiting(waiting.length, problem);
        await new Promise((wake) => setTimeout(wake, RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)]));
      }
    }
    isSending = false;
    if (!waiting.length) onWaiting(0, "");
  }

  async function send(body) {
    let response;
    try {
      response = await fetch("/verdicts", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    } catch {
      return "winnow does not answer; is it still running?";
    }
    const content = await response.json().catch(() => ({}));
    if (response.ok) {
      onState(content);
      return null;
    }
    const problem = [content.error ?? `status ${response.status}`, content.help].filter(Boolean).join("\n");
    if (response.status === 400) { // it would be refused again
      onRefused(problem);
      return null;
    }
    if (response.status === 409 || response.status === 401 || response.status === 403) {
      ended = true;
      onEnd(problem, waiting.length);
    }
    return problem;
  }

  window.addEventListener("beforeunload", (event) => { if (waiting.length) event.preventDefault(); });
  return (body) => { waiting.push(body); showWaiting(); sendAll(); };
}
