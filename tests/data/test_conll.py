"""Files of a token and a tag a line, as people have them; and files that only look alike."""

import gzip

import pytest

from luthier.data import BadRow, inspect, read, read_all
from luthier.data.layout import find_reader
from luthier.data.readers import conll
from luthier.errors import DataError


@pytest.fixture
def file(tmp_path):
    def write(content, name="rows.conll"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def values(path):
    return [(row.line, row.reason) if isinstance(row, BadRow) else (row.line, *row.values.values())
            for row in conll.records(path, None)]


CONLL_2003 = ("-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP I-PER\n"
              "Blackburn NNP I-NP I-PER\n")


@pytest.mark.parametrize("name", ["train.conll", "train.txt", "train", "train.tsv", "train.iob", "train.csv"])
def test_the_shared_task(name, file):
    path = file(CONLL_2003, name)
    layout = inspect(path)
    assert (layout.reader, layout.problem_type, layout.tokens, layout.spans) == (
        "conll", "token_classification", "tokens", "ner_tags")
    assert values(path) == [(3, ["EU", "rejects"], ["B-ORG", "O"]), (6, ["Peter", "Blackburn"], ["I-PER", "I-PER"])]
    assert read_all(layout, max_bad_rows=0)[0][1].id == f"{name}:6"


def test_comments_stand_above_a_sentence_only(file):
    path = file("# id = 1\n# text = Vitamin O\n# made by hand\n#\tO\nEU\tB-X\n#\tO\n\n# last = 1\n#tag\tO\nB\tI-Y\n")
    assert values(path) == [(4, ["#", "EU", "#"], ["O", "B-X", "O"]), (9, ["#tag", "B"], ["O", "I-Y"])]


def test_white_space_may_be_a_token_and_line_ends_may_be_any(file):
    path = file("a\tB-X\r\n \tO\r\n\u3000\tO\r\n\tO\r\n \r\n\r\nNew York\tB-Y\r\n  O\r\nb  B-X\r\n")
    assert values(path) == [(1, ["a", " ", "\u3000", " "], ["B-X", "O", "O", "O"]),
                            (7, ["New York", " ", "b"], ["B-Y", "O", "B-X"])]


def test_a_line_without_a_tag_costs_its_sentence(file):
    path = file("a\tB-X\n\nb\tO\nc\nd\ne\tO\n\nf\tO\n")
    assert values(path)[1] == (4, "expected a token and its tag, came 'c' without a tag")
    assert [row[0] for row in values(path)] == [1, 4, 8]


@pytest.mark.parametrize("numbers", ["0123 01", "1234 56", "1111 22", "1234 12"])
def test_columns_that_count_anything_are_no_tokens(file, numbers):
    words = iter(["Ann\tB-PER", "lives\tO", "in\tO", "Oslo\tB-LOC", "No\tO", "way\tO"])
    path = file("\n\n".join("\n".join(f"{number}\t{next(words).replace(chr(9), chr(9) + 'X' + chr(9))}"
                                      for number in sentence) for sentence in numbers.split()) + "\n")
    assert [row[1] for row in values(path)] == [["Ann", "lives", "in", "Oslo"], ["No", "way"]]


def test_lines_without_a_number_behind_the_head_are_not_lost(file):
    head = "".join(f"{number % 9 + 1}\tw{number}\tNN\tO\n{chr(10) * (number % 9 == 8)}" for number in range(9 * 900))
    path = file(head + "1\tAnn\tNNP\tB-PER\n*\tOslo\tNNP\tB-LOC\n")
    assert values(path)[-1][1] == ["Ann", "Oslo"]


def test_words_that_are_two_of_conll_u_stand_once(file):
    path = file("1\tvamos\tVERB\tO\n2-3\tal\t_\tO\n2\ta\tADP\tO\n3\tel\tDET\tO\n4\tOslo\tPROPN\tB-LOC\n\n"
                "1\tsi\tADV\tO\n1.1\tno\t_\tO\n")
    assert [row[1] for row in values(path)] == [["vamos", "a", "el", "Oslo"], ["si"]]


def test_numbers_of_tokens_are_no_tokens(file):
    path = file("# id\n1\tIn\tO\tO\n2\tOslo\tB-LOC\tO\n\n1\tNo\tO\tI-X\n")
    assert [row[1] for row in values(path)] == [["In", "Oslo"], ["No"]]
    assert any("only numbers tokens" in note for note in inspect(path).notes)
    plain = file("1\tO\n2\tB-X\n\n1\tO\n", "plain.conll")
    assert values(plain)[0][1] == ["1", "2"]
    counted = file("1 CD B-X\n2 CD O\n\n3 CD O\n", "counted.conll")
    assert values(counted)[0][1] == ["1", "2"]


def test_of_germevals_two_columns_of_tags_the_outer_one_is_read(file):
    path = file("#\tsource\n1\tAnn\tB-PER\tO\n2\tFC\tB-ORG\tO\n3\tRom\tI-ORG\tB-LOC\n\n1\tNo\tO\tO\n")
    assert [row[2] for row in values(path)] == [["B-PER", "B-ORG", "I-ORG"], ["O"]]
    assert any("those of outer names are taken" in note for note in inspect(path).notes)
    one = file("1\tAnn\tNNP\tB-PER\n2\tis\tVBZ\tO\n\n", "one.conll")
    assert [row[2] for row in values(one)] == [["B-PER", "O"]]


@pytest.mark.parametrize(("content", "reader"), [
    ("text\tlabel\n" + "good\tB-PER\nbad\tO\n" * 5, "tsv"),  # no blank line parts it
    ("text\tlabel\n\nso good\tpos\n\nso bad\tneg\n\n", "tsv"),
    ("so good\tO\n\nso bad\tO\n\n", "tsv"),  # nothing but O
    ("I like the I-95\n\nA road to O\n\nit is long, and I am tired\nvery, very tired\n", "txt"),
    ("vitamin C, O\n\nand B\n\n", "csv"),
])
def test_other_files_stay_what_they_are(content, reader, file):
    assert find_reader(file(content, "rows.txt" if reader != "tsv" else "rows.tsv"))[0] == reader


BARE = "#Nato\tORG\nis\tO\nin\tO\nNew\tLOC\nYork\tLOC\nParis\tcity\nnow\tO\n.\tO\n\nOh\tO\nno\tO\n"


@pytest.mark.parametrize("name", ["rows.txt", "rows.conll", "rows.tsv"])
def test_types_without_letters(name, file):
    path = file(BARE, name)
    layout = inspect(path)
    assert layout.reader == "conll"
    assert any("types without B- and I-" in note for note in layout.notes)
    rows, _ = read_all(layout, max_bad_rows=0)
    assert [(row.text[span.start:span.end], span.label) for row in rows for span in row.spans] == [
        ("#Nato", "ORG"), ("New York", "LOC"), ("Paris", "city")]


@pytest.mark.parametrize(("letters", "expected"), [("B_LOC I_LOC", [("New York", "LOC")]), ("LOC-B LOC-I", None)])
def test_other_marks_between_letter_and_type(letters, expected, file):
    first, second = letters.split()
    layout = inspect(file(f"New\t{first}\nYork\t{second}\nis\tO\nbig\tO\n\nOh\tO\n"))
    if expected is None:  # nothing that would be wrong is read
        with pytest.raises(DataError, match="unknown tag 'LOC-B'"):
            read_all(layout, max_bad_rows=0)
        return
    rows, _ = read_all(layout, max_bad_rows=0)
    assert [(row.text[span.start:span.end], span.label) for row in rows for span in row.spans] == expected


def test_lines_of_text_and_class_with_a_blank_line_are_no_tags(file):
    path = file("text\tlabel\nvery good\tO\n\nbad\tnegative\nso so\tO\nall right\tO\n", "rows.tsv")
    assert inspect(path).reader == "tsv"


def test_a_name_of_conll_needs_no_blank_line_nor_entity(file):
    assert inspect(file("all\tO\nright\tO\n", "rows.bio")).reader == "conll"
    with pytest.raises(DataError, match="none that Luthier reads"):
        inspect(file("prose under a strange name\nand no tag\n", "rows.ner"))


def test_unknown_tags_are_bad_rows_with_their_sentence(file):
    layout = inspect(file("a\tB-X\n\nb\tO\nc\tPER\n\nd\tO\n"))
    examples, bad = read_all(layout, max_bad_rows=1)
    assert len(examples) == 2
    assert (bad[0].line, bad[0].reason[:17]) == (3, "unknown tag 'PER'")


def test_without_labels_the_tokens_are_the_text(file):
    layout = inspect(file(CONLL_2003), labelled=False)
    assert (layout.problem_type, layout.spans, layout.label) == (None, None, None)
    rows = list(read(layout, on_bad=pytest.fail))
    assert [(row.text, row.labels, row.spans) for row in rows] == [("EU rejects", None, None),
                                                                   ("Peter Blackburn", None, None)]


def test_the_name_within_gz_counts_and_damage_met_later_is_told(file):
    text = "".join(f"word{n}\tO\n\n" for n in range(80_000)).encode()
    path = file(gzip.compress(text), "rows.BIO.gz")
    layout = inspect(path)
    assert layout.reader == "conll"
    assert any("compressed with gzip" in note for note in layout.notes)
    assert not any("because of its content" in note for note in layout.notes)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match="damaged: Compressed file ended") as caught:
        list(conll.records(path, "utf-8"))
    assert "gzip -t" in caught.value.fix


WEIBO = "科0\tO\n技1\tO\n小0\tB-PER.NAM\n明1\tI-PER.NAM\n\n20\tO\n11\tO\n年0\tO\n\n"


def test_places_in_words_are_left_out(file):
    layout = inspect(file(WEIBO, "weiboNER_2nd_conll.train"))
    assert "each character bears its place in its word, which is left out" in layout.notes
    rows, _ = read_all(layout, max_bad_rows=0)
    assert [(row.text, [(one.start, one.end, one.label) for one in row.spans]) for row in rows] == [
        ("科技小明", [(2, 4, "PER.NAM")]), ("21年", [])]
    assert values(file("❤\ufe0f0\tO\n字0\tB-X\n词1\tI-X\n\n"))[0][1] == ["❤\ufe0f", "字", "词"]


@pytest.mark.parametrize("one", ["技", "技5", "技术1", "a b1"])
def test_digits_that_do_not_count_in_words_stay(file, one):
    rows, _ = read_all(inspect(file(WEIBO.replace("技1", one))), max_bad_rows=0)
    assert "明1" in rows[0].text
