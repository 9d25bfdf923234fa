"""The values that cross boundaries between the stages. Standard library and numpy only.

Axis letters, fixed for the project: N rows, B batch, T tokens, D width, H heads, L layers, C classes, K labels of one
row, V vocabulary.
"""

from luthier.schema.answers import Answer, Entities, Entity, Estimate, FoundAnswer, Generated, Prediction
from luthier.schema.arrays import MASKS, Batch, Bool, Document, Float32, Int64, Logits, Passage, TextInput, parts
from luthier.schema.conversations import Conversation, Role, Turn
from luthier.schema.decision import Decision
from luthier.schema.embeddings import Embedding, Similarity
from luthier.schema.examples import Dataset, Example, GoldAnswer, Passages, Span, Triple
from luthier.schema.extraction import Extraction, FoundRelation
from luthier.schema.labels import ANSWERED, EMBEDDING, GENERATED, TOKEN, LabelSet, ProblemType, Scale
from luthier.schema.likelihoods import Fill, Filled, Likelihood
from luthier.schema.marked import Argument, Marked
from luthier.schema.rankings import Candidates, Ranked, Relevance, Reranked

__all__ = ["ANSWERED", "EMBEDDING", "GENERATED", "MASKS", "TOKEN", "Answer", "Argument", "Batch", "Bool", "Candidates",
           "Conversation", "Dataset", "Decision", "Document", "Embedding", "Entities", "Entity", "Estimate", "Example",
           "Extraction", "Fill", "Filled", "Float32", "FoundAnswer", "FoundRelation", "Generated", "GoldAnswer",
           "Int64", "LabelSet", "Likelihood", "Logits", "Marked", "Passage", "Passages", "Prediction", "ProblemType",
           "Ranked", "Relevance", "Reranked", "Role", "Scale", "Similarity", "Span", "TextInput", "Triple", "Turn",
           "parts"]
