"""A run in writing: the methods paragraph of a paper, and one page that holds everything."""

from __future__ import annotations

from ptycho_nb.report.methods import methods_text
from ptycho_nb.report.page import ENDINGS, report, write_report

__all__ = ["ENDINGS", "methods_text", "report", "write_report"]
