"""Keys pressed in a panel stay in it: the notebook would take them as its own shortcuts."""

from __future__ import annotations

import anywidget

# JupyterLab in command mode takes what is typed on a focused button, slider, checkbox or tab of an output:
# d d deletes the cell, 0 0 asks to restart the kernel. It leaves alone what bears this attribute. Keys with
# Ctrl, Alt or Command, such as Ctrl+S, stay the page's. The window hears a key before the page does.
SCRIPT = """
const OWN = "data-lm-suppress-shortcuts";
export default { render() {
  const keep = (event) => {
    if (!event.target.closest?.(".pnb-panel")) return;
    if (event.ctrlKey || event.altKey || event.metaKey) event.target.removeAttribute(OWN);
    else event.target.setAttribute(OWN, "true");
  };
  window.addEventListener("keydown", keep, true);
  return () => window.removeEventListener("keydown", keep, true);
} };
"""


class OwnKeys(anywidget.AnyWidget):
    """Unseen; while it is on a page, a notebook's one-key shortcuts do nothing in any of its panels."""

    _esm = SCRIPT

    def __init__(self) -> None:
        super().__init__()
        self.add_class("pnb-style")
