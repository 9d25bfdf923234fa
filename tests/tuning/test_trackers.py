from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luthier.errors import MissingExtraError, RecipeError, TuningError
from luthier.tuning import Events, open_trackers, trackers
from luthier.tuning.trackers import Tracker, numbers

STEP = {"event": "step", "step": 3, "loss": 0.5, "learning_rate": 1e-4, "grad_norm": 1.0, "rows_per_second": 9.0,
        "epoch": 0.3}
VALIDATION = {"event": "validation", "step": 3, "metrics": {"f1_macro": 0.7, "ndcg@10": 0.6}}


def tell(listeners: list[Any]) -> None:
    with Events(None, listeners) as events:
        for event in (STEP, VALIDATION):
            events.emit(event["event"], **{name: value for name, value in event.items() if name != "event"})
        events.emit("note", text="x")


def test_numbers_have_the_names_trackers_show() -> None:
    assert dict(numbers(STEP))["train/loss"] == 0.5
    assert dict(numbers(VALIDATION)) == {"valid/f1_macro": 0.7, "valid/ndcg@10": 0.6}
    assert dict(numbers({"event": "note"})) == {}


def test_a_tracker_logs_numbers_and_is_closed() -> None:
    logged: list[tuple[dict[str, float], int]] = []
    tell([Tracker("own", lambda found, step: logged.append((found, step)),
                  lambda failed: logged.append(({}, -2 if failed else -1)))])
    assert [step for _, step in logged] == [3, 3, -1]


def test_a_tracker_that_fails_says_which_and_what_to_do() -> None:
    def log(_found: dict[str, float], _step: int) -> None:
        raise ConnectionError("refused")

    ended: list[bool] = []
    with pytest.raises(TuningError, match=r"the tracker own failed: ConnectionError: refused\n.*report_to=\[\]"):
        tell([Tracker("own", log, ended.append)])
    assert ended == [True]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"'tensorbord'; known: mlflow, tensorboard, wandb(.|\n)*'tensorboard'"):
        open_trackers(["tensorbord"], "run", Path(), {})


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("luthier.plugins.importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"'mlflow'(.|\n)*pip install 'luthier\[track\]'"):
        open_trackers(["mlflow"], "run", tmp_path, {})


def test_a_tracker_that_cannot_be_opened_leaves_none_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: Any) -> Tracker:
        raise OSError("no route to host")

    ended: list[bool] = []
    monkeypatch.setitem(trackers._OPEN, "tensorboard", lambda *_: Tracker("one", lambda *_: None, ended.append))
    monkeypatch.setitem(trackers._OPEN, "mlflow", refuse)
    with pytest.raises(OSError, match="no route"):
        open_trackers(["tensorboard", "mlflow"], "run", tmp_path, {})
    assert ended == [True]


def test_none_by_default(tmp_path: Path) -> None:
    assert open_trackers((), "run", tmp_path, {}) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_tensorboard_files_hold_the_numbers(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tell(open_trackers(["tensorboard"], "run", tmp_path, {"train": {"seed": 1}}))
    found = EventAccumulator(str(tmp_path / "tensorboard" / "run")).Reload()
    assert found.Scalars("train/loss")[0].value == 0.5
    assert found.Scalars("valid/f1_macro")[0].step == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow_store_holds_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    tell(open_trackers(["mlflow"], "run", tmp_path, {"train": {"seed": 1}}))
    client = MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    runs = client.search_runs([client.get_experiment_by_name("luthier").experiment_id])
    assert runs[0].data.metrics["train/loss"] == 0.5
    assert runs[0].data.metrics["valid/ndcg_10"] == 0.6
    assert runs[0].data.params == {"train.seed": "1"}
    assert runs[0].info.status == "FINISHED"
    with pytest.raises(ValueError, match="nan"), Events(None, open_trackers(["mlflow"], "lost", tmp_path, {})):
        raise ValueError("the loss is nan")
    (lost,) = client.search_runs([runs[0].info.experiment_id], "attributes.run_name = 'lost'")
    assert lost.info.status == "FAILED"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_wandb_writes_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    tell(open_trackers(["wandb"], "run", tmp_path, {"train": {"seed": 1}}))
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
