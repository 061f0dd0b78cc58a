"""How the documentation is built: ``python -m sphinx -W -b html docs OUT``, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

from ptycho_nb import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "ptycho_nb"
author = "The ptycho_nb developers"
project_copyright = "The ptycho_nb developers, BSD-3-Clause"
release = __version__
language = "en"

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb", "from_the_code", "notebook_pages", "plain_math"]
exclude_patterns = ["_build"]

html_theme = "furo"  # the fonts of the reader's system; nothing is fetched
html_title = "ptycho_nb"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "github-dark"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the stored outputs are shown; the tests run the notebooks
nb_output_stderr = "remove"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: name for name in ("ArrayLike", "StrPath", "Listener", "Region")}
napoleon_google_docstring = False
napoleon_use_param = False  # types are words, such as "complex, shape (H, W)": no links
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False
napoleon_preprocess_types = False
maximum_signature_line_length = 90
