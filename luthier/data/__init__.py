"""From files to examples (``inspect``, ``read``) and from examples to a clean, split data set (``prepare``)."""

from luthier.data.clean import Contradiction
from luthier.data.entity_columns import READ_AS
from luthier.data.labels import label_name
from luthier.data.layout import Columns, Layout, inspect
from luthier.data.prepare import prepare
from luthier.data.read import from_arrays, read, read_all, read_with_cells
from luthier.data.report import DataReport
from luthier.data.rows import BadRow, Reader, Record

__all__ = [
    "READ_AS",
    "BadRow",
    "Columns",
    "Contradiction",
    "DataReport",
    "Layout",
    "Reader",
    "Record",
    "from_arrays",
    "inspect",
    "label_name",
    "prepare",
    "read",
    "read_all",
    "read_with_cells",
]
