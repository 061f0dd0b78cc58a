"""How the panels to think with look, beyond what every panel has: pictures that a whole room can see."""

from __future__ import annotations

import ipywidgets as widgets

from ptycho_nb.ui.drawing import STYLE, Markup, OwnKeys, Pane, tag

LOOK = tag(
    "style",
    Markup("""
.pnb-work > .pnb-changes { flex: 1 1 330px; max-width: 420px; max-height: none; overflow: visible; }
.pnb-changes .pnb-dial { flex-wrap: nowrap; }
.pnb-changes .pnb-dial > .widget-hslider { flex: 1 1 50px !important; min-width: 50px; margin-right: 10px; overflow: visible; }
.pnb-changes .pnb-why { min-height: 8.7em; margin-top: 4px; color: inherit; }
.pnb-changes .pnb-why p { margin: 2px 0 6px; }
.pnb-work > .pnb-ambiguous { flex: 3 1 610px; gap: 4px 16px; }
.pnb-ambiguous .pnb-pictures { width: 294px; }
.pnb-row .pnb-pictures img { width: 144px; }
.pnb-row figcaption { max-width: 144px; font-size: 0.92em; }
.pnb-ambiguous > :last-child { flex: 1 1 294px; }
@media (max-width: 1200px) { .pnb-work > .pnb-changes { max-width: none; } }
.pnb-text summary { cursor: pointer; width: fit-content; margin: 2px 0 6px; font-weight: 600; }
.pnb-text summary:focus-visible { outline: 2px solid var(--jp-brand-color1, #0072b2); outline-offset: 1px; }
.pnb-cases > * { max-width: 258px; }
.pnb-steps .pnb-pictures img { width: 196px; }
.pnb-steps figcaption { max-width: 196px; }
.pnb-exchange .pnb-pictures img { width: 176px; }
.pnb-duel .pnb-pictures img, .pnb-duel figcaption { width: 168px; }
"""),
)


def heading(title: str, introduction: str) -> list[widgets.Widget]:
    """What each of them begins with: styles, the keys that are its own, its name and a sentence or two."""
    return [
        Pane(STYLE, kind="style"),
        Pane(LOOK, kind="style"),
        OwnKeys(),
        Pane(tag("h3", title)),
        Pane(tag("p", introduction)),
    ]
