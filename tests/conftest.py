"""What every test shares: a closed network, a cache of its own, one thread, and a tiny model."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parent.parent
OFFLINE = str(Path(__file__).parent / "offline")

# Before anything is imported: processes that tests start inherit the closed network, and no test reads or writes the
# user's own cache, tokens or trackers.
os.environ["PYTHONPATH"] = os.pathsep.join([OFFLINE, *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ["LUTHIER_CACHE"] = str(ROOT / "build" / "test-cache")
os.environ["HF_HOME"] = str(ROOT / "build" / "test-hf")
os.environ["WANDB_MODE"] = "offline"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
for name in ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "MLFLOW_TRACKING_URI"):
    os.environ.pop(name, None)
# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("luthier", deadline=None)
hypothesis.settings.load_profile("luthier")
# A shell ignores Ctrl-C for what it starts in the background, and tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, OFFLINE)
sys.modules.pop("sitecustomize", None)
import sitecustomize  # noqa: E402, F401

SENTENCES = (
    ("good great fine lovely", "positive"), ("very good indeed", "positive"), ("很好 喜欢 开心", "positive"),
    ("great and lovely", "positive"), ("这个 很好", "positive"), ("fine, very fine", "positive"),
    ("bad awful poor ugly", "negative"), ("very bad indeed", "negative"), ("很差 讨厌 难过", "negative"),
    ("awful and ugly", "negative"), ("这个 很差", "negative"), ("poor, very poor", "negative"),
)


@pytest.fixture(scope="session")
def rows() -> list[tuple[str, str]]:
    """Sixty short texts that a tiny model can learn: (text, label)."""
    return [(f"{text} {number}", label) for number in range(5) for text, label in SENTENCES]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT directory whose vocabulary covers ASCII and common Chinese."""
    from luthier.models import tiny

    return tiny.make(tmp_path_factory.mktemp("models") / "tiny", texts=[text for text, _ in SENTENCES])


@pytest.fixture(scope="session")
def tiny_csv(rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sixty rows as a CSV file with columns text and label."""
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_bundle(tiny_csv: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full bundle of the tiny model tuned to the sixty rows."""
    import luthier

    out = tmp_path_factory.mktemp("runs") / "tiny"
    finished = luthier.train(
        tiny_csv, model=str(tiny_model), out=out, seed=1, progress=False, prepare={"deduplicate": False},
        train={"num_train_epochs": 16, "learning_rate": 3e-3, "per_device_train_batch_size": 8, "precision": "fp32"},
        evaluation={"bootstrap": 100},
    )
    return finished.path
