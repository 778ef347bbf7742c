#include "report_template.hpp"

namespace mosaic::cli {

// The policy keeps the page to itself: nothing is fetched, whatever a name or a job file holds.
const char* const kReportHead =
    R"html(<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<style>
:root {
  --paper: #ffffff; --raised: #f6f6f4; --ink: #1b1c1e; --soft: #63656b; --line: #dfdfdb;
  --grid: #ececea; --accent: #0b6e75; --on-accent: #ffffff; --dots: #8a8f98; --guess: #a9875a;
  --warn: #a33a1e;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131416; --raised: #1c1e21; --ink: #e9eaec; --soft: #9da0a8; --line: #303338;
    --grid: #23262a; --accent: #4cc5cb; --on-accent: #0c1415; --dots: #747b86; --guess: #b3935f;
    --warn: #f0916f;
    color-scheme: dark;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 1080px; margin: 0 auto; padding: 36px 24px 72px; }
code, pre, .arch { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.kind { margin: 0; color: var(--soft); font-size: 13px; }
h1 {
  margin: 2px 0 6px; font-size: 28px; line-height: 1.2; font-weight: 650;
  overflow-wrap: anywhere;
}
h2 { margin: 0 0 4px; font-size: 19px; font-weight: 650; }
h3 { margin: 22px 0 6px; font-size: 14px; font-weight: 600; }
p { margin: 0 0 10px; max-width: 74ch; }
.lead, .note { color: var(--soft); }
.note { font-size: 13px; }
.status {
  display: inline-block; vertical-align: 4px; padding: 1px 9px; border: 1px solid var(--line);
  border-radius: 20px; font-size: 12px; font-weight: 500; line-height: 1.6; color: var(--soft);
}
.status[data-status=finished] { color: var(--accent); border-color: currentColor; }
.status[data-status=failed] { color: var(--warn); border-color: currentColor; }
.message { color: var(--warn); overflow-wrap: anywhere; }
.facts {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 10px 24px;
  margin: 18px 0; padding: 16px 0; border: solid var(--line); border-width: 1px 0;
}
.facts dt { color: var(--soft); font-size: 12px; }
.facts dd { margin: 0; font-size: 14px; overflow-wrap: anywhere; }
section { margin-top: 52px; }
details { margin-top: 10px; }
summary { cursor: pointer; width: fit-content; color: var(--accent); font-size: 14px; }
summary code { font-size: 12.5px; color: var(--soft); }
pre {
  margin: 10px 0 0; padding: 14px 16px; overflow: auto; max-height: 460px; font-size: 12.5px;
  line-height: 1.5; background: var(--raised); border-radius: 6px; tab-size: 2;
}
.missing {
  margin: 10px 0 0; padding: 14px 16px; max-width: none; background: var(--raised);
  border-radius: 6px; color: var(--soft);
}
.bar {
  display: flex; flex-wrap: wrap; align-items: center; gap: 8px 16px; margin: 12px 0 4px;
  font-size: 13px;
}
.bar label { display: inline-flex; align-items: center; gap: 6px; color: var(--soft); }
select, button {
  font: inherit; font-size: 13px; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: 5px; padding: 3px 8px; max-width: 100%;
}
button { cursor: pointer; }
button:hover, select:hover { border-color: var(--soft); }
button:disabled { opacity: .45; cursor: default; border-color: var(--line); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.legend { display: flex; flex-wrap: wrap; gap: 6px; margin-left: auto; }
.legend button { display: inline-flex; align-items: center; gap: 6px; border-radius: 20px; }
.legend button[aria-pressed=false] {
  color: var(--soft); text-decoration: line-through; opacity: .7;
}
.swatch { width: 9px; height: 9px; border-radius: 50%; flex: none; }
.swatch.ring { background: none !important; border: 1.5px solid; }
.swatch.line { height: 2px; width: 14px; border-radius: 0; }
.plot { position: relative; margin: 6px 0 0; border-radius: 4px; }
.plot canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.plot canvas + canvas { pointer-events: none; }
.plot .reset { position: absolute; top: 8px; right: 14px; }
.plot { touch-action: pan-y; }
.plot.square { max-width: 540px; }
.tip {
  position: absolute; z-index: 9; max-width: min(360px, calc(100vw - 24px)); padding: 9px 12px;
  background: var(--paper); color: var(--ink); border: 1px solid var(--line); border-radius: 6px;
  box-shadow: 0 4px 18px rgb(0 0 0 / 16%); font-size: 12.5px; line-height: 1.45;
  pointer-events: none;
}
.tip .arch { font-size: 11.5px; overflow-wrap: anywhere; margin-bottom: 4px; }
.tip table { border-collapse: collapse; width: 100%; }
.tip td { padding: 0; vertical-align: top; }
.tip td:first-child { color: var(--soft); padding-right: 14px; }
.tip td + td { font-variant-numeric: tabular-nums; text-align: right; }
.tip .note { margin: 3px 0 0; font-size: 12px; }
.tiles { display: flex; flex-wrap: wrap; gap: 6px 36px; margin: 14px 0 2px; }
.tiles div { min-width: 84px; }
.tiles b { display: block; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: 12.5px; }
.scroll { overflow-x: auto; margin-top: 10px; }
table.data { border-collapse: collapse; width: 100%; font-size: 13px; }
table.data th, table.data td {
  padding: 5px 12px 5px 0; border-bottom: 1px solid var(--grid); text-align: left;
  white-space: nowrap;
}
table.data th {
  border-bottom-color: var(--line); font-weight: 500; color: var(--soft); vertical-align: bottom;
}
table.data th button {
  border: 0; padding: 0; background: none; color: inherit; font-weight: 500; text-align: inherit;
  white-space: pre-line; line-height: 1.3;
}
table.data th[aria-sort] button { color: var(--ink); }
table.data th[aria-sort=ascending] button::after { content: " ↑"; }
table.data th[aria-sort=descending] button::after { content: " ↓"; }
table.data .num { text-align: right; font-variant-numeric: tabular-nums; }
table.data .num:last-child { padding-right: 2px; }
table.data .wide { white-space: normal; min-width: 200px; overflow-wrap: anywhere; }
table.data tbody tr:hover, table.data tbody tr.marked { background: var(--raised); }
td .archcell { display: flex; align-items: center; gap: 8px; }
td .archcell .arch {
  width: clamp(150px, 26vw, 330px); overflow: hidden; text-overflow: ellipsis; font-size: 12px;
}
td .archcell button { padding: 0 7px; font-size: 12px; color: var(--soft); }
.pm { color: var(--soft); }
.pager {
  display: flex; align-items: center; gap: 8px; margin-top: 8px; font-size: 13px;
  color: var(--soft);
}
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.broken {
  padding: 12px 16px; border: 1px solid var(--warn); border-radius: 6px; color: var(--warn);
}
@media (max-width: 640px) {
  main { padding: 22px 16px 48px; }
  h1 { font-size: 23px; }
  section { margin-top: 40px; }
  .facts { grid-template-columns: 1fr 1fr; gap: 10px 16px; }
  .legend { margin-left: 0; }
  .tiles { gap: 8px 24px; }
  td .archcell .arch { width: 104px; }
}
@media (hover: none) { .mouse { display: none; } }
@media print { .bar, .pager, td .archcell button { display: none; } }
</style>
<script>
window.errors = [];
addEventListener('error', (event) => {
  window.errors.push(String(event.message));
  document.documentElement.dataset.errors = window.errors.join('; ');
  const note = document.createElement('p');
  note.className = 'broken';
  note.textContent = 'Part of this page could not be drawn: ' + event.message;
  (document.querySelector('main') || document.body).append(note);
});
</script>
)html";

const char* const kReportSections = R"html(<noscript>
<p class="broken">The plots and tables of this page need JavaScript (nothing is fetched).
<code>mosaic front</code> prints the front as text.</p>
</noscript>
<section id="front"><h2>Pareto front</h2></section>
<section id="hypervolume"><h2>Hypervolume</h2></section>
<section id="agreement"><h2>Predicted against measured</h2></section>
<section id="training"><h2>Training</h2></section>
<section id="timings"><h2>Latency measurements</h2></section>
<section id="sources"><h2>Where the numbers come from</h2></section>
<p class="spoken" id="spoken" aria-live="polite"></p>
)html";

}  // namespace mosaic::cli
