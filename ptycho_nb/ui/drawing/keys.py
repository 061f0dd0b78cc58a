"""What a page does not do for a panel by itself: keys that stay in it, and what a screen reader is told."""

from __future__ import annotations

import anywidget

# JupyterLab in command mode takes what is typed on a focused button, slider, checkbox or tab of an output:
# d d deletes the cell, 0 0 asks to restart the kernel. It leaves alone what bears this attribute. Keys with
# Ctrl, Alt or Command, such as Ctrl+S, stay the page's. The window hears a key before the page does.
# A click on a tab would leave the focus, and with it the keys, to the notebook.
KEYS = """
const OWN = "data-lm-suppress-shortcuts";
const keep = (event) => {
  if (!event.target.closest?.(".pnb-panel")) return;
  if (event.ctrlKey || event.altKey || event.metaKey) event.target.removeAttribute(OWN);
  else event.target.setAttribute(OWN, "true");
};
const take = (event) => event.target.closest?.(".pnb-panel .lm-TabBar-tab")?.focus({ preventScroll: true });
"""

# The handle of a slider has no name, tells powers of ten as the exponent, and can be reached by Tab though its
# widget may not: its name is the label of the slider, or else of the box beside it.
SLIDERS = """
const labelled = (element) => [...element.querySelectorAll(".widget-label")].map((label) => label.textContent.trim()).find(Boolean);
const nameSliders = () => {
  for (const handle of document.querySelectorAll(":is(.pnb-panel, .pnb-form) .noUi-handle")) {
    const slider = handle.closest(".jupyter-widgets"), readout = slider.querySelector(".widget-readout");
    const words = labelled(slider) ?? labelled(slider.parentElement) ?? slider.title;
    if (words) told(handle, "aria-label", words);
    if (slider.getAttribute("tabindex") === "-1") told(handle, "tabindex", "-1");
    if (!readout) continue;
    told(handle, "aria-valuetext", readout.textContent);
    told(readout, "role", "textbox");
    told(readout, "aria-label", `${words}: number`);
  }
};
"""

# News and problems are read out where the place that they come to is one of news or problems before they come.
# The header of a fold says whether it is open.
REGIONS = """
const nameRegions = () => {
  for (const role of ["status", "alert"])
    for (const place of document.querySelectorAll(`.pnb-${role} > .widget-html-content`)) told(place, "role", role);
  for (const header of document.querySelectorAll(".pnb-fold > .pnb-header"))
    told(header, "aria-expanded", String(header.classList.contains("mod-active")));
};
"""

SCRIPT = f"""{KEYS}
const told = (element, name, value) => element.getAttribute(name) === value || element.setAttribute(name, value);
{SLIDERS}{REGIONS}
const name = () => {{
  nameSliders();
  nameRegions();
}};
export default {{ render() {{
  let frame = 0;
  const seen = new MutationObserver(() => {{ frame ||= requestAnimationFrame(() => {{ frame = 0; name(); }}); }});
  seen.observe(document.body, {{ childList: true, subtree: true, attributes: true, attributeFilter: ["aria-valuetext"] }});
  window.addEventListener("keydown", keep, true);
  window.addEventListener("click", take);
  name();
  return () => {{
    seen.disconnect();
    cancelAnimationFrame(frame);
    window.removeEventListener("keydown", keep, true);
    window.removeEventListener("click", take);
  }};
}} }};
"""


class OwnKeys(anywidget.AnyWidget):
    """Unseen; while it is on a page, one-key shortcuts do nothing in any of its panels, and a screen reader is told what it needs."""

    _esm = SCRIPT

    def __init__(self) -> None:
        super().__init__()
        self.add_class("pnb-style")
