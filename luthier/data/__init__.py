"""From files to examples (``inspect``, ``read``) and from examples to a clean, split data set (``prepare``)."""

from luthier.data.cells.labels import label_name
from luthier.data.clean import Contradiction
from luthier.data.kind import Kind, kind_of
from luthier.data.layout import Columns, Layout, inspect
from luthier.data.prepare import prepare
from luthier.data.read import from_arrays, read, read_all, read_with_cells
from luthier.data.report import DataReport
from luthier.data.rows import BadRow, Reader, Record

__all__ = [
    "BadRow",
    "Columns",
    "Contradiction",
    "DataReport",
    "Kind",
    "Layout",
    "Reader",
    "Record",
    "from_arrays",
    "inspect",
    "kind_of",
    "label_name",
    "prepare",
    "read",
    "read_all",
    "read_with_cells",
]
