"""Whole jobs made of the stages below: train, evaluate, label a file."""

from luthier.data import Columns
from luthier.pipeline.labelling import Labelled, predict_file
from luthier.pipeline.loading import Loaded, load_data, settle
from luthier.pipeline.progress import ProgressView
from luthier.pipeline.run import Run
from luthier.pipeline.settings import make_recipe, settings_of
from luthier.pipeline.training import run, train
from luthier.pipeline.using import evaluate, load

__all__ = [
    "Columns",
    "Labelled",
    "Loaded",
    "ProgressView",
    "Run",
    "evaluate",
    "load",
    "load_data",
    "make_recipe",
    "predict_file",
    "run",
    "settings_of",
    "settle",
    "train",
]
