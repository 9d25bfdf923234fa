"""The values that cross boundaries between the stages. Standard library and numpy only.

Axis letters, fixed for the project: N rows, B batch, T tokens, D width, H heads, L layers, C classes, K labels of one
row, V vocabulary.
"""

from luthier.schema.answers import Answer, Entities, Entity, Estimate, FoundAnswer, Generated, Prediction
from luthier.schema.arrays import Batch, Bool, Float32, Int64, Logits, TextInput
from luthier.schema.conversations import Conversation, Role, Turn
from luthier.schema.decision import Decision
from luthier.schema.examples import Dataset, Example, GoldAnswer, Span
from luthier.schema.labels import ANSWERED, GENERATED, LabelSet, ProblemType, Scale

__all__ = ["ANSWERED", "GENERATED", "Answer", "Batch", "Bool", "Conversation", "Dataset", "Decision", "Entities",
           "Entity", "Estimate", "Example", "Float32", "FoundAnswer", "Generated", "GoldAnswer", "Int64", "LabelSet",
           "Logits", "Prediction", "ProblemType", "Role", "Scale", "Span", "TextInput", "Turn"]
