"""Opening a bundle and asking it: the predictor that evaluation, the command line and the server share."""

from luthier.inference.backend import Backend
from luthier.inference.fastest import Opening, open_fastest
from luthier.inference.predictor import Predictor
from luthier.inference.replaying import make_probes
from luthier.inference.reranking import rerank
from luthier.inference.search import Corpus, Hit
from luthier.inference.streaming import unreadable
from luthier.inference.verification import Check, VerifyReport, compare_with_memory, verify

__all__ = [
    "Backend",
    "Check",
    "Corpus",
    "Hit",
    "Opening",
    "Predictor",
    "VerifyReport",
    "compare_with_memory",
    "make_probes",
    "open_fastest",
    "rerank",
    "unreadable",
    "verify",
]
