"""Pretrained models: where they come from, text to token ids, encoders with a head, encoder-decoders."""

from luthier.models.building import Built, build_classifier, load_classifier
from luthier.models.encoding import Encoder, Ragged
from luthier.models.files import ModelFiles, ModelInfo
from luthier.models.from_nothing import new_seq2seq
from luthier.models.seq2seq import build_seq2seq

__all__ = ["Built", "Encoder", "ModelFiles", "ModelInfo", "Ragged", "build_classifier", "build_seq2seq",
           "load_classifier", "new_seq2seq"]
