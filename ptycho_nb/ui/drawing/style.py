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
.pnb-panel .widget-html-content p { margin: 2px 0 6px; }
.pnb-panel h3 { margin: 6px 0 2px; font-size: 1.05em; }
.pnb-form { display: grid; grid-template-columns: minmax(200px, 416px) minmax(106px, 1fr); column-gap: 8px; align-items: start; }
.pnb-form .widget-label { white-space: normal; line-height: 1.2; height: auto; align-self: center; overflow-wrap: break-word; }
.pnb-form > * { min-width: 0; max-width: 100%; width: auto; }
.pnb-note, .pnb-note .widget-html-content { line-height: 28px; white-space: nowrap; }
.pnb-note:has(details[open]) { grid-column: 1 / -1; padding-left: 144px; box-sizing: border-box; }
.pnb-note:has(details[open]) .widget-html-content { white-space: normal; }
.pnb-note details[open] { display: inline; }
.pnb-note details { display: inline-block; vertical-align: top; max-width: 34em; line-height: 1.45; white-space: normal; }
.pnb-note summary { display: inline-block; cursor: pointer; width: 1.4em; text-align: center; border-radius: 50%;
  border: 1px solid var(--jp-border-color1, #999); margin: 4px 4px 0; list-style: none; }
.pnb-note summary::-webkit-details-marker { display: none; }
.pnb-note summary:focus-visible { outline: 2px solid var(--jp-brand-color1, #0072b2); outline-offset: 1px; }
.pnb-settings, .pnb-live { flex-wrap: wrap; align-items: flex-start; gap: 4px 20px; }
.pnb-work { flex-wrap: wrap; align-items: flex-start; gap: 4px 24px; }
.pnb-work > :first-child { flex: 1 1 430px; max-width: 640px; }
.pnb-work > :last-child { flex: 2 1 460px; min-width: 0; }
.pnb-method .widget-radio-box label { display: flex; align-items: flex-start; gap: 6px; white-space: normal; height: auto;
  line-height: 1.45; }
.pnb-method .widget-radio-box label input { order: -1; flex: none; margin: 0; }
.pnb-settings > * { flex: 1 1 360px; max-width: 620px; }
.pnb-live > * { flex: 1 1 380px; max-width: 600px; }
.pnb-live > .pnb-preview { flex: 1 1 540px; max-width: none; }
.pnb-title { font-weight: 600; }
.pnb-progress, .pnb-numbers progress { width: 220px; }
.pnb-form .widget-hbox > .widget-text { flex: 1 1 0; min-width: 0; width: auto; }
.pnb-form .widget-hslider { overflow: visible; margin-right: 10px; }
.pnb-panel input:placeholder-shown { text-overflow: ellipsis; }
[data-jp-theme-light="false"] .pnb-panel .widget-dropdown > select {
  background-image: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
viewBox='0 0 18 18'%3E%3Cpath fill='none' stroke='%23ddd' stroke-width='1.6' d='M5 7l4 4 4-4'/%3E%3C/svg%3E"); }
.pnb-news { grid-column: 1 / -1; }
.pnb-changed { color: var(--jp-ui-font-color2, #666); padding-left: 144px; font-size: 0.92em; }
.pnb-problem, .pnb-panel .pnb-alert { font-weight: 600;
  color: color-mix(in srgb, var(--jp-error-color1, #d32f2f) 72%, var(--jp-ui-font-color0, #000)); }
.pnb-form .pnb-problem { padding-left: 144px; }
.pnb-pictures { display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start; }
.pnb-pictures figure { margin: 0; }
.pnb-pictures img { display: block; width: 196px; height: auto; image-rendering: pixelated; margin: 0; }
.pnb-probe img { width: 118px; }
.pnb-pictures figcaption { font-size: 0.92em; margin-top: 2px; }
.pnb-svg { width: 100%; max-width: 600px; height: auto; font-family: var(--jp-ui-font-family, sans-serif); }
.pnb-numbers { margin: 4px 0; font-variant-numeric: tabular-nums; }
.pnb-state { font-weight: 600; }
.pnb-panel .pnb-estimate { min-height: 1.6em; font-variant-numeric: tabular-nums; }
.pnb-code pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; padding: 8px; overflow-x: auto;
  border: 1px solid var(--jp-border-color2, #ccc); }
.pnb-bar { flex-wrap: wrap; align-items: center; }
.pnb-fold > .pnb-header { width: 100%; text-align: left; padding: 0 12px; margin: 2px 0; font-weight: 600; box-shadow: none;
  color: var(--jp-ui-font-color1, inherit); background: var(--jp-layout-color2, #eee); border: 1px solid var(--jp-border-color2, #ccc); }
.pnb-fold > .pnb-header:focus-visible { outline: 2px solid var(--jp-brand-color1, #0072b2); outline-offset: -2px; }
.pnb-fold > :not(.pnb-header) { padding: 4px 0 8px 12px; }
.pnb-app { max-width: 1240px; }
.pnb-app h2 { margin: 0 14px 0 2px; font-size: 1.2em; }
.pnb-app > .jupyter-widget-tab { margin-top: 4px; }
.pnb-app > .jupyter-widget-tab > .lm-TabBar .lm-TabBar-tab { flex: 0 1 auto; }
.pnb-desk { min-height: 1.5em; }
.pnb-large { --jp-widgets-font-size: 20px; --jp-widgets-inline-height: 38px; --jp-ui-font-size1: 20px; --jp-code-font-size: 19px;
  --jp-widgets-inline-label-width: 150px; --jp-widgets-horizontal-tab-height: 40px; --jp-widgets-horizontal-tab-width: 190px;
  font-size: 20px; }
.pnb-large .widget-html-content, .pnb-large .jupyter-button, .pnb-large .widget-label, .pnb-large input, .pnb-large select,
.pnb-large .lm-TabBar-tabLabel { font-size: 20px; }
.pnb-large .pnb-form { grid-template-columns: minmax(200px, 400px) minmax(140px, 1fr); }
.pnb-large .pnb-form .widget-label { width: 176px !important; }
.pnb-large .pnb-form .widget-hslider { display: none; }
.pnb-large .pnb-form .pnb-problem, .pnb-large .pnb-changed { padding-left: 184px; }
.pnb-large .pnb-form .widget-checkbox .widget-label { width: auto !important; }
.pnb-large :not(.pnb-form) > .widget-dropdown { width: max-content !important; max-width: 100%; }
.pnb-large .pnb-bar .widget-text { width: auto !important; }
.pnb-large .pnb-bar .widget-text input { width: 4.5em; min-width: 4em; }
.pnb-large .pnb-work > :first-child { flex-basis: 520px; max-width: 720px; }
.pnb-large .pnb-svg { max-width: 760px; }
.pnb-large .pnb-svg text { font-size: 15px; }
.pnb-large .pnb-pictures img { width: 250px; }
.pnb-large .pnb-probe img { width: 150px; }
.pnb-large .jupyter-button { width: auto !important; min-width: 110px; }
.pnb-large .pnb-fold > .pnb-header { width: 100% !important; }
.pnb-seen { flex-wrap: wrap; align-items: flex-start; gap: 4px 20px; }
.pnb-seen > * { flex: 0 1 380px; max-width: 100%; }
.pnb-seen > :last-child { flex: 1 1 420px; max-width: 660px; }
.pnb-facts table, table.pnb-facts { border-collapse: collapse; margin: 4px 0; }
.pnb-facts caption { text-align: left; font-weight: 600; padding: 2px 0; }
.pnb-facts th, .pnb-facts td { text-align: left; padding: 2px 12px 2px 0; vertical-align: top; font-variant-numeric: tabular-nums; }
.pnb-facts th { font-weight: 600; white-space: nowrap; }
.pnb-notes ul, .pnb-findings ul { margin: 2px 0 6px; padding-left: 1.3em; }
.pnb-pattern .pnb-pictures img { width: 240px; }
.pnb-pattern .pnb-probe img { width: 120px; }
.pnb-pattern figure { max-width: 240px; margin-bottom: 8px; }
.pnb-fields { border: 1px solid var(--jp-border-color2, #ccc); padding: 6px; }
.pnb-wide { display: block; width: 100%; max-width: 940px; height: auto; margin: 4px 0; }
.pnb-curves { display: flex; flex-wrap: wrap; gap: 4px 16px; }
.pnb-curves > * { flex: 1 1 320px; max-width: 520px; }
.pnb-panel .widget-html-content { min-width: 0; }
.pnb-table { overflow-x: auto; max-width: 100%; }
.pnb-table table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 4px 0; }
.pnb-table caption { text-align: left; color: var(--jp-ui-font-color2, #666); padding-bottom: 4px; }
.pnb-hint { color: var(--jp-ui-font-color2, #666); }
.pnb-table th, .pnb-table td { text-align: left; vertical-align: top; padding: 3px 14px 3px 0; border: 0; background: none;
  border-bottom: 1px solid var(--jp-border-color2, #ccc); overflow-wrap: normal; word-break: normal; }
@media (max-width: 700px) { .pnb-table th, .pnb-table td { padding-right: 8px; } }
.pnb-beside { display: flex; flex-wrap: wrap; gap: 8px 22px; }
.pnb-beside .pnb-pictures img { width: 158px; }
.pnb-large .pnb-beside .pnb-pictures img { width: 210px; }
.pnb-film .pnb-pictures img { width: 230px; }
.pnb-large .pnb-film .pnb-pictures img { width: 330px; }
.pnb-answers.widget-radio-box, .pnb-answers .widget-radio-box { height: auto; }
.pnb-answers .widget-radio-box label { display: flex; align-items: flex-start; gap: 6px; white-space: normal; height: auto;
  max-width: 60em; line-height: 1.45; margin-bottom: 4px; }
.pnb-answers .widget-radio-box label input { order: -1; flex: none; margin: 2px 0 0; }
.pnb-work { flex-wrap: wrap; align-items: flex-start; gap: 4px 22px; }
.pnb-changes { flex: 1 1 330px; max-width: 470px; max-height: 600px; overflow-y: auto; flex-wrap: nowrap; }
.pnb-changes > * { flex: none; }
@media (max-width: 1200px) { .pnb-changes { max-width: none; max-height: 290px; } }
.pnb-ambiguous { flex: 3 1 480px; min-width: 0; flex-wrap: wrap; align-items: flex-start; gap: 4px 22px; }
.pnb-ambiguous .pnb-pictures { width: 258px; gap: 6px; }
.pnb-ambiguous > :last-child { flex: 1 1 260px; min-width: 0; }
.pnb-panel h4 { margin: 6px 0 2px; font-size: 1em; }
.pnb-row .pnb-pictures img { width: 126px; }
.pnb-row figcaption { max-width: 126px; font-size: 0.84em; line-height: 1.25; }
.pnb-likeness caption { text-align: left; font-weight: 600; padding: 6px 0 2px; }
.pnb-likeness th, .pnb-likeness td { text-align: left; line-height: 1.3; vertical-align: top; padding: 2px 10px 2px 0;
  font-variant-numeric: tabular-nums; }
.pnb-verdict p { font-weight: 600; font-size: 1.1em; font-variant-numeric: tabular-nums; }
.pnb-cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(380px, 100%), 1fr)); gap: 2px 26px; }
.pnb-cards > * { min-width: 0; }
.pnb-why { padding: 0 0 6px 14px; color: var(--jp-ui-font-color2, #666); }
.pnb-dial { flex-wrap: wrap; align-items: center; }
.pnb-duel { flex-wrap: wrap; align-items: flex-start; gap: 2px 18px; }
.pnb-duel .pnb-pictures { gap: 6px; }
.pnb-duel .pnb-pictures img, .pnb-duel figcaption { width: 126px; max-width: none; }
.pnb-designer { flex-wrap: wrap; align-items: flex-start; gap: 4px 26px; }
.pnb-designer > :first-child { flex: 1 1 300px; max-width: 350px; }
.pnb-designer > :last-child { flex: 2 1 440px; min-width: 0; }
.pnb-plan h4 { margin: 6px 0 0; font-size: 1em; }
.pnb-plan .widget-dropdown, .pnb-plan .widget-text { flex: 0 0 auto !important; width: auto !important; margin: 1px 2px; }
.pnb-plan .widget-dropdown > .widget-label, .pnb-plan .widget-text > .widget-label { width: 136px !important; text-align: right; }
.pnb-plan .widget-text > input { flex: 0 0 76px; width: 76px; }
.pnb-plan .widget-dropdown > select { flex: 0 1 196px; min-width: 0; }
.pnb-plan .pnb-dial { flex-wrap: nowrap; }
.pnb-plan .pnb-dial > .widget-hslider { flex: 1 1 60px !important; min-width: 60px; overflow: visible; margin-right: 8px; }
.pnb-footprint { flex-wrap: wrap; align-items: center; gap: 4px 18px; }
.pnb-footprint > :first-child { flex: 0 1 372px; min-width: 0; }
.pnb-footprint > :last-child { flex: 0 0 150px; }
.pnb-steps .pnb-pictures img { width: 168px; }
.pnb-steps figcaption { max-width: 168px; }
.pnb-exchange .pnb-pictures img { width: 148px; }
.pnb-exchange .pnb-pictures { margin-bottom: 6px; }
.pnb-cases { display: flex; flex-wrap: wrap; gap: 2px 16px; }
.pnb-cases > * { flex: 1 1 100px; max-width: 204px; }
.pnb-cases h4 { margin: 6px 0 2px; font-size: 1em; }
.pnb-cases .pnb-pictures { flex-direction: column; gap: 6px; }
.pnb-cases .pnb-pictures figure, .pnb-cases .pnb-pictures img { width: 100%; }
"""),
)
