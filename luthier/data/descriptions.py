"""Labels that the caller has named and described beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from luthier.data.cells.labels import label_name, natural_order
from luthier.errors import DataError
from luthier.plugins import did_you_mean
from luthier.schema import LabelSet

_SHOWN = 10


def described(labels: LabelSet, given: Mapping[str, str]) -> tuple[LabelSet, list[str]]:
    """Return the label set with the descriptions that the caller gave, and what is to be said of them.

    Args:
        labels: as the rows have them.
        given: name -> what it means, ``""`` where nothing is said; all names that there are, or nothing.

    Raises:
        DataError: the rows have a label, or a type of entity, that is not among the names.
    """
    if not given:
        return labels, []
    known = {label_name(name) or "": text for name, text in given.items()}
    carried = (*labels.names, *labels.types)
    stray = [name for name in carried if name not in known]
    if stray:
        raise DataError(f"the rows have {len(stray)} label(s) that data.labels does not name, such as {stray[0]!r}",
                        did_you_mean(stray[0], known) or "add them there, or mend the rows")
    unused = natural_order(name for name in known if name not in carried)
    notes = [f"data.labels names {len(unused)} label(s) that no training row has, and the model will not know them: "
             + ", ".join(map(repr, unused[:_SHOWN]))] if unused else []
    told = [name for name in labels.types if known[name]]
    if told:
        notes.append("the bundle keeps what relations mean, not what types of entities do: " + ", ".join(told[:_SHOWN]))
    return replace(labels, descriptions=tuple(known[name] for name in labels.names)), notes
