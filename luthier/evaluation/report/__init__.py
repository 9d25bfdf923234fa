"""The report: one JSON document of numbers and one self-contained page."""

from luthier.evaluation.report.content import Report, scores_document
from luthier.evaluation.report.write import write_report

__all__ = ["Report", "scores_document", "write_report"]
