"""Pretrained models: where they come from, text to token ids, an encoder with a classification head."""

from luthier.models.building import Built, build_classifier, load_classifier
from luthier.models.encoding import Encoder, Ragged
from luthier.models.files import ModelFiles, ModelInfo

__all__ = ["Built", "Encoder", "ModelFiles", "ModelInfo", "Ragged", "build_classifier", "load_classifier"]
