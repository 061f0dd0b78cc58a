"""A button that puts a text on the clipboard: only the browser can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

SCRIPT = """
async function copied(text) {
  try { await navigator.clipboard.writeText(text); return true; } catch (_) { /* not allowed, or no https */ }
  const box = document.createElement("textarea");
  box.value = text; box.style.position = "fixed"; box.style.opacity = "0";
  document.body.appendChild(box);
  try { box.select(); return document.execCommand("copy"); } catch (_) { return false; } finally { box.remove(); }
}
export default { render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "lm-Widget jupyter-widgets jupyter-button widget-button";
  let waiting = false;
  const look = () => {
    button.textContent = model.get("description"); button.title = model.get("tooltip"); button.disabled = model.get("disabled");
  };
  const copy = async () => {
    if (!waiting || !model.get("text")) return;
    waiting = false;
    const ok = await copied(model.get("text"));
    model.send({ copied: ok });
  };
  button.addEventListener("click", () => { waiting = true; model.send({ pressed: true }); });
  model.on("change:description change:tooltip change:disabled", look);
  model.on("msg:custom", (message) => { if (message.ready) copy(); });
  look();
  el.appendChild(button);
} };
"""


class CopyButton(anywidget.AnyWidget):
    """Pressed, it asks for its text; given one with ``give``, it puts it on the clipboard of the browser that was pressed in.

    Parameters
    ----------
    description, tooltip : str
    pressed : callable
        Told of a press.
    copied : callable
        Told whether the clipboard has the text now.
    """

    _esm = SCRIPT
    description = traitlets.Unicode().tag(sync=True)
    tooltip = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)

    def __init__(self, description: str, tooltip: str, pressed: Callable[[], object], copied: Callable[[bool], object]) -> None:
        super().__init__(description=description, tooltip=tooltip)
        self._pressed, self._copied = pressed, copied
        self.on_msg(self._heard)

    def click(self) -> None:
        """Press it."""
        self._pressed()

    def give(self, text: str) -> None:
        """This is what is to be copied."""
        self.text = text
        self.send({"ready": True})

    def _heard(self, _: Any, message: Any, __: Any) -> None:
        if isinstance(message, dict) and message.get("pressed"):
            self.click()
        elif isinstance(message, dict) and "copied" in message:
            self._copied(bool(message["copied"]))
