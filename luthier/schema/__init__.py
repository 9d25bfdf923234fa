"""The values that cross boundaries between the stages. Standard library and numpy only.

Axis letters, fixed for the project: N rows, B batch, T tokens, D width, H heads, L layers, C classes, K labels of one
row, V vocabulary.
"""

from luthier.schema.answers import Answer, Entities, Entity, Estimate, FoundAnswer, Prediction
from luthier.schema.arrays import Batch, Bool, Float32, Int64, Logits, TextInput, parts
from luthier.schema.decision import Decision
from luthier.schema.examples import Dataset, Example, GoldAnswer, Span
from luthier.schema.labels import ANSWERED, LabelSet, ProblemType, Scale
from luthier.schema.marked import Argument, Marked

__all__ = ["ANSWERED", "Answer", "Argument", "Batch", "Bool", "Dataset", "Decision", "Entities", "Entity", "Estimate",
           "Example", "Float32", "FoundAnswer", "GoldAnswer", "Int64", "LabelSet", "Logits", "Marked", "Prediction",
           "ProblemType", "Scale", "Span", "TextInput", "parts"]
