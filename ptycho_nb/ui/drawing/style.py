"""How the panels look: the colours of the page's own theme, in either."""

from __future__ import annotations

from ptycho_nb.ui.drawing.markup import Markup, tag

STYLE = tag(
    "style",
    Markup("""
.pnb-style { display: none; }
.pnb-panel { max-width: 1080px; color: var(--jp-ui-font-color1, inherit); }
.pnb-panel, .pnb-panel .widget-html-content { line-height: 1.45; }
.pnb-panel .widget-html, .pnb-form .widget-html { height: auto; min-height: 0; margin: 0 2px; }
.pnb-panel h3 { margin: 6px 0 2px; font-size: 1.05em; }
.pnb-form { display: grid; grid-template-columns: minmax(200px, 400px) minmax(106px, 1fr); column-gap: 8px; align-items: start; }
.pnb-form > * { min-width: 0; max-width: 100%; width: auto; }
.pnb-note, .pnb-note .widget-html-content { line-height: 28px; white-space: nowrap; }
.pnb-note:has(details[open]) { grid-column: 1 / -1; padding-left: 128px; box-sizing: border-box; }
.pnb-note:has(details[open]) .widget-html-content { white-space: normal; }
.pnb-note details[open] { display: inline; }
.pnb-note details { display: inline-block; vertical-align: top; max-width: 34em; line-height: 1.45; white-space: normal; }
.pnb-note summary { display: inline-block; cursor: pointer; width: 1.4em; text-align: center; border-radius: 50%;
  border: 1px solid var(--jp-border-color1, #999); margin: 4px 4px 0; list-style: none; }
.pnb-note summary::-webkit-details-marker { display: none; }
.pnb-note summary:focus-visible { outline: 2px solid var(--jp-brand-color1, #0072b2); outline-offset: 1px; }
.pnb-settings, .pnb-live { flex-wrap: wrap; align-items: flex-start; gap: 4px 20px; }
.pnb-settings > * { flex: 1 1 420px; max-width: 620px; }
.pnb-live > * { flex: 1 1 380px; max-width: 600px; }
.pnb-live > .pnb-preview { flex: 1 1 540px; max-width: none; }
.pnb-title { font-weight: 600; }
.pnb-progress, .pnb-numbers progress { width: 220px; }
.pnb-form .widget-hbox > .widget-text { flex: 1 1 0; min-width: 0; width: auto; }
.pnb-form .widget-hslider { overflow: visible; margin-right: 10px; }
.pnb-news { grid-column: 1 / -1; }
.pnb-changed { color: var(--jp-ui-font-color2, #666); padding-left: 128px; font-size: 0.92em; }
.pnb-problem, .pnb-panel [role=alert] { font-weight: 600;
  color: color-mix(in srgb, var(--jp-error-color1, #d32f2f) 72%, var(--jp-ui-font-color0, #000)); }
.pnb-form .pnb-problem { padding-left: 128px; }
.pnb-pictures { display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start; }
.pnb-pictures figure { margin: 0; }
.pnb-pictures img { display: block; width: 196px; height: auto; image-rendering: pixelated; margin: 0; }
.pnb-probe img { width: 118px; }
.pnb-pictures figcaption { font-size: 0.92em; margin-top: 2px; }
.pnb-svg { width: 100%; max-width: 600px; height: auto; font-family: var(--jp-ui-font-family, sans-serif); }
.pnb-numbers { margin: 4px 0; font-variant-numeric: tabular-nums; }
.pnb-state { font-weight: 600; }
.pnb-code pre { white-space: pre-wrap; padding: 8px; overflow-x: auto; border: 1px solid var(--jp-border-color2, #ccc); }
.pnb-bar { flex-wrap: wrap; align-items: center; }
"""),
)
