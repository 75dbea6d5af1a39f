"""Words that are looked up in the text of a file."""

from hypothesis import given
from hypothesis import strategies as st

from genrecall.queries.sorted_lines import SortedLines

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=4)


@given(st.sets(WORDS, max_size=30), st.lists(WORDS, max_size=10))
def test_the_lines_of_a_file_are_those_of_a_set(words, others):
    lines = SortedLines("\n".join(sorted(words)).encode())
    for word in [*words, *others, ""]:
        assert (word in lines) == (word in words)


def test_lines_are_read_from_a_file(tmp_path):
    (tmp_path / "words.txt").write_text("drill\nlämp\nsaw", "utf-8")
    lines = SortedLines.load(tmp_path / "words.txt")
    assert "lämp" in lines
    assert "lam" not in lines
    assert 3 not in lines
