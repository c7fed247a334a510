"""How the page looks, in light and in dark."""

CSS = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c1e21;
  --soft: #5d636b; --line: #dfe2e6; --panel: #f6f7f9; --accent: #2f6fb0;
  --right: #2e8540; --wrong: #c23b3b; --heat: 47, 111, 176; }
@media (prefers-color-scheme: dark) {
  :root { --page: #17191c; --ink: #e6e8ea; --soft: #a3a9b1; --line: #34383e;
    --panel: #1f2226; --accent: #7db3e8; --right: #6cc07e; --wrong: #ef8683;
    --heat: 110, 168, 226; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem 1.25rem 4rem;
  background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0 0.75rem;
  overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 3rem 0 0.25rem; padding-top: 0.75rem;
  border-top: 1px solid var(--line); }
p { max-width: 46rem; margin: 0.5rem 0 1rem; }
.soft, figcaption { color: var(--soft); font-size: 0.875rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; }
a { color: var(--accent); }
dl { display: grid; gap: 0.75rem 1.5rem; margin: 1.25rem 0;
  grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); }
dt { color: var(--soft); font-size: 0.8rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.warning { border-left: 4px solid var(--wrong); padding: 0.25rem 0.9rem; }
.scroll { overflow-x: auto; }
.rows { border-collapse: collapse; }
.rows td { padding: 0.3rem 0.35rem; vertical-align: top; }
.rows td:first-child { padding-right: 1.1rem;
  border-right: 1px solid var(--line); }
.rows td:nth-child(2) { padding-left: 1.1rem; }
.rows figure { margin: 0; width: 92px; }
.rows img { display: block; width: 92px; height: 92px; object-fit: contain;
  background: var(--panel); border-radius: 3px; }
.rows figcaption { font-size: 0.75rem; line-height: 1.3; margin-top: 0.25rem;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.right { color: var(--right); } .wrong { color: var(--wrong); }
.map { position: relative; border: 1px solid var(--line); border-radius: 4px;
  background: var(--panel); }
.map canvas { display: block; width: 100%; height: min(76vh, 44rem);
  touch-action: pan-y; cursor: crosshair; border-radius: 4px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#card { position: absolute; left: 0; top: 0; width: 15rem; padding: 0.6rem;
  pointer-events: none; background: var(--page); color: var(--ink);
  border: 1px solid var(--line); border-radius: 6px; font-size: 0.8rem;
  line-height: 1.35; box-shadow: 0 3px 14px rgba(0, 0, 0, 0.22); }
#card[hidden] { display: none; }
#card > img { width: 100%; height: 9rem; object-fit: contain;
  background: var(--panel); border-radius: 3px; display: block; }
#card div { overflow-wrap: anywhere; margin-top: 0.3rem; }
#card .near { display: grid; grid-template-columns: repeat(4, 1fr);
  gap: 0.25rem; }
#card .near img { width: 100%; aspect-ratio: 1; object-fit: contain;
  background: var(--panel); border-radius: 2px; }
@media (max-width: 40rem) { .map canvas { height: 26rem; }
  #card { width: 10rem; padding: 0.4rem; } #card > img { height: 5.5rem; } }
img.small { image-rendering: pixelated; }
.tools { display: flex; flex-wrap: wrap; gap: 0.35rem; margin: 0.6rem 0;
  max-height: 12.5rem; overflow-y: auto; padding: 2px; }
button { font: inherit; font-size: 0.8rem; color: inherit; cursor: pointer;
  background: none; border: 1px solid var(--line); border-radius: 999px;
  padding: 0.1rem 0.65rem; max-width: 100%; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
button[aria-pressed="true"] { background: var(--panel);
  border-color: var(--ink); }
button i { display: inline-block; width: 0.65em; height: 0.65em;
  border-radius: 50%; margin-right: 0.4em; }
.panels { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); }
.plot { display: block; max-width: 34rem; margin: 0; }
.plot svg { display: block; width: 100%; height: auto; }
.confusion { border-collapse: collapse; font-size: 0.8rem;
  font-variant-numeric: tabular-nums; }
.confusion th { font-weight: normal; text-align: right; white-space: nowrap;
  padding: 0 0.5rem; }
.confusion tbody th { position: sticky; left: 0; background: var(--page);
  max-width: 11rem; overflow: hidden; text-overflow: ellipsis; }
.confusion thead th { vertical-align: bottom; padding: 0.3rem 0; }
.confusion thead span { writing-mode: vertical-rl; rotate: 180deg;
  max-height: 9rem; overflow: hidden; text-overflow: ellipsis; }
.confusion td { width: 2.3rem; height: 1.9rem; text-align: center;
  border: 1px solid var(--page); background: var(--panel); }
.confusion td.own { outline: 1px solid var(--soft); outline-offset: -1px; }
.confusion td.share { background: none; text-align: right; padding: 0 0.5rem; }
.dense { font-size: 10px; line-height: 1; }
.dense td { width: 13px; height: 13px; min-width: 13px; border-width: 0.5px; }
.dense td.share { display: none; }
.dense thead span { max-height: 7rem; width: 13px; }
ul { padding-left: 1.2rem; }
"""
