from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from toy import Toy, make_toy  # noqa: E402


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """Eighty training and forty validation sentences, and a tiny model."""
    return make_toy(tmp_path_factory.mktemp("toy"))
