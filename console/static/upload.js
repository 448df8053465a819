// Uploads the files and folders that a person chooses, or drops onto the area with the attribute data-upload.
"use strict";
const AT_A_TIME = 4;  // a browser opens six connections to a server, and the page needs one for its live parts
const MAX_ERRORS = 5;
const area = document.querySelector("[data-upload]");
const state = area.querySelector(".upload-state");
const bar = state.querySelector("progress");
const line = state.querySelector("[role=status]");
const errors = state.querySelector(".upload-errors");
const waiting = [];
let total = 0, uploaded = 0, failed = 0, running = 0;

function add(file, key) {
  if (total === uploaded + failed) {  // everything before is done, so the count begins again
    total = uploaded = failed = 0;
    errors.replaceChildren();
  }
  total += 1;
  waiting.push({ file, key });
  show();
  while (running < AT_A_TIME && waiting.length) { uploadWaiting(); }
}

async function uploadWaiting() {
  running += 1;
  while (waiting.length) {
    const { file, key } = waiting.shift();
    const reason = await upload(file, key);
    if (reason) { fail(key, reason); } else { uploaded += 1; }
    show();
  }
  running -= 1;
}

async function upload(file, key) {  // returns the reason if the upload fails
  if (file.size > Number(area.dataset.maxBytes)) { return `The page accepts at most ${area.dataset.maxBytes / 2 ** 20} MiB.`; }
  try {
    const answer = await fetch(`${area.dataset.upload}?key=${encodeURIComponent(key)}`, { method: "PUT", body: file });
    return answer.ok ? "" : (await answer.text()).trim();
  } catch {
    return "The console does not answer, or the browser cannot read the file.";
  }
}

function fail(key, reason) {
  failed += 1;
  if (failed > MAX_ERRORS) { return; }
  const item = document.createElement("li");
  item.textContent = `${key}: ${reason}`;
  errors.append(item);
}

function show() {
  state.hidden = false;
  bar.max = total;
  bar.value = uploaded + failed;
  line.textContent = `${uploaded} of ${total} uploaded${failed ? `, ${failed} failed` : ""}`;
}

async function addEntry(entry) {  // a file or a folder that was dropped
  const key = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    entry.file((file) => add(file, key), () => { total += 1; fail(key, "The browser cannot read the file."); show(); });
    return;
  }
  const reader = entry.createReader();
  const read = () => new Promise((resolve) => { reader.readEntries(resolve, () => resolve([])); });
  for (let entries = await read(); entries.length; entries = await read()) {  // each read returns at most 100 entries
    for (const child of entries) { await addEntry(child); }
  }
}

for (const input of area.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    for (const file of input.files) { add(file, file.webkitRelativePath || file.name); }
    input.value = "";  // then the person can choose the same files again
  });
}
area.addEventListener("dragover", (event) => { event.preventDefault(); area.classList.add("over"); });
area.addEventListener("dragleave", () => { area.classList.remove("over"); });
area.addEventListener("drop", (event) => {
  event.preventDefault();
  area.classList.remove("over");
  for (const item of event.dataTransfer.items) {
    const entry = item.webkitGetAsEntry(), file = item.getAsFile();
    if (entry) { addEntry(entry); } else if (file) { add(file, file.name); }  // a script's file has no entry
  }
});
// A picture that misses the area would replace the page.
for (const name of ["dragover", "drop"]) { window.addEventListener(name, (event) => event.preventDefault()); }
