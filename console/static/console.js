// Shows a message while the console does not answer. htmx connects again by itself.
"use strict";
const connection = document.getElementById("connection");
document.addEventListener("htmx:sse:error", () => { connection.hidden = false; });
document.addEventListener("htmx:sse:after:connection", () => { connection.hidden = true; });
document.addEventListener("htmx:error", () => { connection.hidden = false; });
