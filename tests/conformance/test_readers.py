"""What every reader keeps, whoever wrote it. A format with a writer here is put through all of it."""

import csv
import gzip
import json
import tracemalloc
from itertools import islice

import pytest

from luthier import plugins
from luthier.data import BadRow, Record, inspect, read_all
from luthier.data.layout import find_reader
from luthier.errors import DataError

ROWS = [
    {"text": "How do I locate my card?", "label": "card"},
    {"text": "心情很好，工作很忙", "label": "好"},
    {"text": "emoji 👨‍👩‍👧 and 𠮷", "label": "card"},
    {"text": 'quotes " and, commas; semicolons', "label": "好"},
    {"text": "two\nlines", "label": "card"},
]


SENTENCES = [
    {"tokens": ["Anna", "lives", "in", "Oslo", "."], "ner_tags": ["B-PER", "O", "O", "B-LOC", "O"]},
    {"tokens": ["#", "tag", "of", "O"], "ner_tags": ["O", "O", "O", "B-ORG"]},
    {"tokens": ["张", "三", "在", "北", "京", "\u3000", "𠮷"],
     "ner_tags": ["B-人", "I-人", "O", "B-地", "I-地", "O", "O"]},
    {"tokens": ["👨‍👩‍👧", " ", "\u2028"], "ner_tags": ["O", "O", "O"]},
]


def sentences(rows):
    """The rows in the words of a format that has no texts and labels: the text is the only token."""
    return [row if "tokens" in row else
            {"tokens": [row["text"].replace("\n", " ") if row["label"] else "bare"],
             "ner_tags": [row["label"] and f"B-{row['label']}"]} for row in rows]


def write_conll(path, rows, encoding):
    lines = ["\n".join(f"{token}\tx\t{tag or ''}" for token, tag in zip(*row.values(), strict=True))
             for row in sentences(rows)]
    path.write_text("\n\n".join(lines).replace("\tx\t\n", "\n") + "\n", encoding=encoding)


def write_delimited(path, rows, encoding, delimiter):
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path, rows, encoding):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding=encoding)


def write_json(path, rows, encoding):
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding=encoding)


def write_parquet(path, rows, encoding):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def write_xlsx(path, rows, encoding):
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append(list(row.values()))
    book.save(path)


def write_semeval(path, rows, encoding):
    path.write_text("".join(f'{number}\t"{row["text"]}"\n{row["label"] or "Comment: none"}\nComment:\n\n'
                            for number, row in enumerate(rows, start=1)), encoding=encoding)


def write_txt(path, rows, encoding):
    path.write_text("\n\n".join(row["text"] for row in rows) + "\n", encoding=encoding, newline="")


WRITERS = {
    "txt": write_txt,
    "semeval": write_semeval,
    "csv": lambda path, rows, encoding: write_delimited(path, rows, encoding, ","),
    "tsv": lambda path, rows, encoding: write_delimited(path, rows, encoding, "\t"),
    "jsonl": write_jsonl,
    "json": write_json,
    "conll": write_conll,
    "parquet": write_parquet,
    "xlsx": write_xlsx,
}
NAMES = plugins.names("data.readers")
FITTING = {"conll": SENTENCES, "semeval": ROWS[:4], "txt": [{"text": row["text"]} for row in ROWS]}
"""Format -> rows that it can hold, where those are not all."""
BARE = {"txt"}
"""Formats that hold texts and nothing else."""
TEXT_NAMES = [name for name in NAMES if plugins.load("data.readers", name).IS_TEXT]
STREAMING = [name for name in NAMES if name != "json"]


@pytest.fixture
def written(tmp_path):
    def write(name, rows=ROWS, encoding="utf-8"):
        assert name in WRITERS, f"give {name} a writer in this suite"
        path = tmp_path / f"rows{plugins.load('data.readers', name).SUFFIXES[0]}"
        WRITERS[name](path, rows, encoding)
        return path

    return write


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(name, written):
    rows = FITTING.get(name, ROWS)
    path = written(name, rows)
    found = list(plugins.load("data.readers", name).records(path, None))
    assert [row.values for row in found] == rows
    assert all(isinstance(row, Record) for row in found)
    assert [row.line for row in found] == sorted({row.line for row in found})


@pytest.mark.parametrize("name", NAMES)
def test_content_is_recognised_whatever_the_name(name, written, tmp_path):
    path = written(name, FITTING.get(name, ROWS))
    other = path.rename(tmp_path / "rows.dat")
    found, _ = find_reader(other)
    assert found == name
    assert list(plugins.load("data.readers", name).records(other, None))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", TEXT_NAMES)
def test_encodings_are_found(name, encoding, written):
    rows = [{"text": "这家宾馆的房间很干净，服务也很好", "label": "好"},
            {"text": "物流太慢了，客服不理人", "label": "坏"}] * 4
    path = written(name, rows, encoding)
    layout = inspect(path, labelled=name not in BARE)
    examples, bad = read_all(layout, max_bad_rows=0)
    assert [row.text for row in examples] == [row["text"] for row in rows]
    assert [row.label_names for row in examples] == [() if name in BARE else (row["label"],) for row in rows]
    assert not bad


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_file_is_refused_with_its_name(name, tmp_path):
    path = tmp_path / f"empty{plugins.load('data.readers', name).SUFFIXES[0]}"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=f"{path.name} is empty"):
        inspect(path)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"json", "jsonl", *FITTING}])  # without header
def test_a_header_alone_holds_no_rows(name, written):
    path = written(name, ROWS[:1])
    if name in {"csv", "tsv"}:
        path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    elif name == "xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        book.active.append(["text", "label"])
        book.save(path)
    else:
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).slice(0, 0), path)
    with pytest.raises(DataError, match="holds no rows"):
        inspect(path)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in BARE])
def test_a_bad_row_is_told_with_its_place_and_the_others_are_read(name, written):
    rows = [{"text": f"row number {i}", "label": "a" if i % 2 else "b"} for i in range(6)]
    rows[3] = {"text": "this one has no label", "label": None}
    path = written(name, rows)
    examples, bad = read_all(inspect(path), max_bad_rows=1)
    assert len(examples) == 5
    places = [row.line for row in plugins.load("data.readers", name).records(path, None)]
    assert [row.line for row in bad] == [places[3]]
    reason = "without a tag" if name == "conll" else "'label' is empty"
    assert reason in bad[0].reason
    with pytest.raises(DataError, match=f"line {places[3]}: .*{reason}"):
        read_all(inspect(path), max_bad_rows=0)


@pytest.mark.parametrize("name", TEXT_NAMES)
def test_bytes_of_no_encoding_cost_only_their_row(name, written):
    rows = [{"text": f"第{i}行的文字很好", "label": "好" if i % 2 else "坏"} for i in range(20)]
    path = written(name, rows)
    path.write_bytes(path.read_bytes().replace("第7行".encode(), b"\xe7\xac7\xff"))
    found = list(plugins.load("data.readers", name).records(path, None))
    assert [i for i, row in enumerate(found) if isinstance(row, BadRow)] == [7]
    assert "encoding" in found[7].reason


@pytest.mark.parametrize("name", STREAMING)
def test_a_large_file_is_streamed(name, written):
    rows = [{"text": "a text of some length " * 300, "label": str(i % 3)} for i in range(1500)]
    path = written(name, rows)
    reader = plugins.load("data.readers", name)
    list(islice(reader.records(path, "utf-8"), 10))  # imports
    tracemalloc.start()
    try:
        count = sum(1 for _ in reader.records(path, "utf-8"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == len(rows)
    assert peak < 5_000_000, "the file holds 10 MB of text"


@pytest.mark.parametrize("name", TEXT_NAMES)
def test_a_file_compressed_with_gzip_is_read_as_it_is_unpacked(name, written, tmp_path):
    rows = FITTING.get(name, ROWS) * 3
    path = written(name, rows)
    plain = read_all(inspect(path, labelled=name not in BARE), max_bad_rows=0)
    packed = tmp_path / f"{path.name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    layout = inspect(packed, labelled=name not in BARE)
    assert layout.reader == name
    examples, bad = read_all(layout, max_bad_rows=0)
    assert [(row.text, row.labels, row.spans) for row in examples] == [
        (row.text, row.labels, row.spans) for row in plain[0]]
    assert examples[0].id.startswith(f"{packed.name}:")
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(DataError, match="compressed with gzip and damaged"):
        inspect(packed)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TEXT_NAMES])
def test_a_binary_file_within_gzip_is_refused(name, written, tmp_path):
    packed = tmp_path / "rows.gz"
    packed.write_bytes(gzip.compress(written(name).read_bytes()))
    with pytest.raises(DataError, match="compressed with gzip, and what is in it is no text") as caught:
        inspect(packed)
    assert "gunzip -k" in caught.value.fix


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_refused_or_its_rows_are_bad(name, written):
    rows = (ROWS if name == "conll" else FITTING.get(name, ROWS)) * 20
    path = written(name, rows)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    reader = plugins.load("data.readers", name)
    if name in {"csv", "tsv", "jsonl", "conll", "semeval", "txt"}:
        assert 0 < len(list(reader.records(path, None))) < len(rows)
        return
    with pytest.raises(DataError, match=path.name) as caught:
        list(reader.records(path, None))
    assert caught.value.fix
