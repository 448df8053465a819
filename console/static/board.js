// A client of the board. It does the same as scripts/board_client.py: it shows each message once and in order.
"use strict";
const HEARTBEAT = 240_000;  // milliseconds; API Gateway closes a connection after ten minutes without messages
const ANSWER = 30_000;  // the longest time until an answer
const PAUSE = 3000;
const board = document.querySelector("[data-board]");
const state = board.querySelector("[data-state]");
const room = board.querySelector("[data-room]");
const list = board.querySelector("[data-messages]");
const join = board.querySelector("[data-join]");
const joinButton = join.querySelector("button");
const write = board.querySelector("[data-send]");
const waiting = new Map();  // texts that the board has not stored yet, by their ids
let member = null, socket = null, seen = null, timer = 0, turn = 0;

async function open(mine) {  // `mine` is the turn: after another join, an old connection does nothing more
  if (mine !== turn) { return; }
  const answer = await fetch(board.dataset.board, { method: "POST", body: new URLSearchParams(member) }).catch(() => null);
  const ticket = await answer?.json().catch(() => null);
  if (mine !== turn) { return; }
  if (answer?.ok && ticket?.reason) { show(ticket.reason, "bad"); return; }
  if (!ticket?.url) { show("Waiting for the local AWS.", "warm"); setTimeout(open, PAUSE, mine); return; }
  socket = new WebSocket(ticket.url);
  socket.addEventListener("open", resume);
  socket.addEventListener("message", (event) => { if (mine === turn) { receive(JSON.parse(event.data)); } });
  socket.addEventListener("close", () => {
    if (mine !== turn) { return; }
    clearTimeout(timer);
    show("The connection is lost. The page connects again.", "warm");
    setTimeout(open, PAUSE, mine);
  });
}

function send(message) {
  if (socket?.readyState !== WebSocket.OPEN) { return; }  // the next connection sends it again
  socket.send(JSON.stringify(message));
  wait(ANSWER, () => socket.close());
}

function wait(milliseconds, then) {
  clearTimeout(timer);
  timer = setTimeout(then, milliseconds);
}

function resume() { send({ action: "resume", after: seen }); }

function receive(answer) {
  wait(HEARTBEAT, resume);
  if (answer.type === "messages") { receiveMessages(answer); }
  else if (answer.type === "stored") { waiting.delete(answer.id); }
  else if (answer.type === "error") { waiting.clear(); show(answer.reason, "bad"); }
  else { setTimeout(resume, 1000); }  // API Gateway reports an error
}

function receiveMessages({ after, messages, more }) {
  const isAnswer = after !== undefined;  // to this page; a broadcast has no `after`, and may come in any order
  if (!isAnswer && (seen === null || messages[0].sequence > seen + 1)) { resume(); return; }
  for (const message of messages) {
    if (seen === null || message.sequence > seen) { seen = message.sequence; add(message); }
  }
  if (!isAnswer) { return; }
  seen ??= 0;
  if (more) { resume(); return; }
  show(`You are in the room ${member.get("room")} as ${member.get("user")}.`, "good");
  joinButton.className = "quiet";  // now the main button is Send
  for (const [id, text] of waiting) { send({ action: "send", id, text }); }
}

function add({ sequence, user, text, at }) {
  const line = document.createElement("li"), time = document.createElement("time"), name = document.createElement("b");
  time.textContent = `${at.slice(11, 19)} UTC `;
  name.textContent = `${user}: `;
  line.dataset.sequence = sequence;
  line.append(time, name, text);
  list.append(line);
  line.scrollIntoView({ block: "nearest" });
}

function show(text, kind) {
  state.textContent = text;
  state.className = kind;
}

join.addEventListener("submit", (event) => {
  event.preventDefault();
  member = new FormData(join);
  turn += 1;
  socket?.close();
  seen = null;
  waiting.clear();
  list.replaceChildren();
  room.hidden = false;
  joinButton.className = "";
  show("Connecting.", "warm");
  open(turn);
});
write.addEventListener("submit", (event) => {
  event.preventDefault();
  const id = crypto.randomUUID(), text = write.elements.text.value;
  waiting.set(id, text);
  write.elements.text.value = "";
  send({ action: "send", id, text });
});
board.querySelector("[data-cut]").addEventListener("click", () => socket?.close());
