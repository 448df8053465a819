// What htmx does not do: messages about the connection, forms that become empty after their action, the focus, and the
// button that pauses a live page.
"use strict";
const connection = document.getElementById("connection");
document.addEventListener("htmx:sse:error", () => { connection.hidden = false; });
document.addEventListener("htmx:sse:after:connection", () => { connection.hidden = true; });
document.addEventListener("htmx:error", () => { connection.hidden = false; });

// The text of a form stays until the action has succeeded, so nobody types it twice after an error.
document.addEventListener("action:done", (event) => {
  if (event.target.matches("form.fields")) event.target.reset();
  // What a person has opened may be out of date after these actions, and after a sign-out nobody may see it.
  if (!/\/(sign-in|sign-out|own-change|own-delete)$/.test(event.target.getAttribute("hx-post"))) return;
  for (const opened of document.querySelectorAll("[data-until-done]")) {
    const hadFocus = opened.contains(document.activeElement);
    opened.remove();
    if (hadFocus) document.getElementById(opened.dataset.untilDone)?.focus();
  }
});

// Something that a person opens gets the focus, so the next Tab key reaches its first control.
document.addEventListener("htmx:after:swap", () => {
  const opened = document.querySelector("[data-focus]");
  opened?.removeAttribute("data-focus");
  opened?.focus();
});

// A page that could not show the account loads again when the account answers.
const retry = document.querySelector("[data-retry]");
async function loadAgain() {
  const answer = document.hidden ? null : await fetch(location.href, { method: "HEAD" }).catch(() => null);
  if (answer?.ok) location.reload();
  else setTimeout(loadAgain, Number(retry.dataset.retry) * 1000);
}
if (retry) setTimeout(loadAgain, Number(retry.dataset.retry) * 1000);

// While a page is paused, its next message waits, and all later messages wait behind it. So no message is lost.
const pause = document.querySelector("[data-pause]");
if (pause) {
  const status = document.querySelector("[data-pause-status]");
  let paused = false;
  let proceed = () => {};
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Continue" : "Pause";
    status.textContent = paused ? "Paused. New lines wait." : "";
    if (!paused) proceed();
  });
  document.addEventListener("htmx:sse:before:message", (event) => {
    if (paused) event.detail.waitUntil(new Promise((resolve) => { proceed = resolve; }));
  });
}
