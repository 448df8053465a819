// Draws mermaid flowcharts. It reads {name: text} as JSON from standard input, and writes {name: SVG}.

import { readFileSync } from "node:fs";
import { renderMermaidSVG } from "beautiful-mermaid";

const LIGHT = "--bg:#ffffff;--fg:#1d2733;--line:#5b6b7c;--accent:#0b63b0;--surface:#eef4fa;--border:#9fb6cb";
const DARK = "--bg:#151b22;--fg:#e6edf3;--line:#8fa3b7;--accent:#6cb6ff;--surface:#202a35;--border:#4a6075";

// The first line of a sketch says that it is one (sketches.py).
function spacing(text) {
  return text.startsWith("%% sketch") ? { padding: 8, nodeSpacing: 12, layerSpacing: 24 } : {};
}

// The package's own style loads a font from a server, which a picture in a page may not do.
function withOurStyle(svg) {
  const style = `svg{${LIGHT.replaceAll(";", " !important;")} !important}
    @media (prefers-color-scheme: dark){svg{${DARK.replaceAll(";", " !important;")} !important}}
    text{font-family:system-ui,sans-serif}`;
  return svg.replace(/@import url\([^)]*\);/, "").replace("</style>", `${style}</style>`);
}

const pictures = {};
for (const [name, text] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  try {
    pictures[name] = withOurStyle(renderMermaidSVG(text, { transparent: true, ...spacing(text) }));
  } catch (error) {
    console.error(`${name}: ${error.message}`);
  }
}
process.stdout.write(JSON.stringify(pictures));
