import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.sid import Sid, SidSpace, SidTable

SPACE = SidSpace((3, 2, 4))

sizes = st.tuples(*[st.integers(1, 5)] * 3)
code = st.integers(0, 10**9)


def codes_of(*rows):
    return np.array(rows, dtype=np.int32).reshape(-1, 3)


def every_sid(space):
    return codes_of(*np.ndindex(space.sizes))


@st.composite
def tables(draw):
    """A space and the codes of some items in it."""
    space = SidSpace(draw(sizes))
    one = st.tuples(*[st.integers(0, size - 1) for size in space.sizes])
    return space, draw(st.lists(one, min_size=1, max_size=30))


@given(code, code, code)
def test_text_form_reads_back(c1, c2, c3):
    sid = Sid(c1, c2, c3)
    assert Sid.parse(str(sid)) == sid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "<c1_1><c2_2>",
        "<c2_1><c1_2><c3_3>",
        "<c1_1><c2_2><c3_-3>",
        "<c1_1><c2_2><c3_3> ",
        "<c1_1> <c2_2><c3_3>",
        "<c1_١><c2_2><c3_3>",
        "<c1_1><c2_2><c3_3>\n",
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a SID; expected the form '<c1_12><c2_3><c3_4>'"):
        Sid.parse(text)


@pytest.mark.parametrize("bad", [(0, 1, 1), (1, -1, 1), (1, 1), (1, 1, 1, 1)])
def test_a_space_needs_three_positive_sizes(bad):
    with pytest.raises(ValueError, match=r"needs 3 positive codebook sizes, not \("):
        SidSpace(bad)


def test_only_equal_spaces_have_equal_digests():
    digests = [SidSpace(given).digest for given in [(1, 2, 3), (1, 3, 2), (12, 3, 4), (1, 23, 4)]]
    assert len(set(digests)) == 4
    assert SidSpace((1, 2, 3)).digest == digests[0]


@given(sizes)
def test_tokens_number_all_codes_of_all_levels(given_sizes):
    space = SidSpace(given_sizes)
    tokens = [
        space.token(level=level, code=code)
        for level, size in enumerate(space.sizes)
        for code in range(size)
    ]
    assert tokens == list(range(space.n_tokens))


@given(sizes)
def test_packed_numbers_count_the_sids_in_order(given_sizes):
    space = SidSpace(given_sizes)
    codes = every_sid(space)
    packed = space.pack(codes)
    assert packed.tolist() == list(range(np.prod(space.sizes)))
    assert space.unpack(packed).tolist() == codes.tolist()
    assert space.unpack(packed).dtype == np.int32


def test_the_largest_spaces_do_not_overflow():
    space = SidSpace((2**20, 2**20, 2**20))
    last = codes_of([2**20 - 1] * 3)
    assert space.unpack(space.pack(last)).tolist() == last.tolist()


@given(tables())
def test_a_table_equals_a_python_set(table):
    space, rows = table
    expected = sorted(set(rows))
    table = SidTable(space, codes_of(*rows))
    assert [tuple(sid) for sid in table.sids.tolist()] == expected
    assert table.sid_of_item.tolist() == [expected.index(row) for row in rows]
    assert table.sizes.tolist() == [rows.count(sid) for sid in expected]
    assert table.find(table.codes).tolist() == table.sid_of_item.tolist()


@given(tables(), st.lists(st.tuples(*[st.integers(-2, 6)] * 3), max_size=20))
def test_find_knows_what_is_in_use_and_nothing_else(table, asked):
    space, rows = table
    expected = sorted(set(rows))
    found = SidTable(space, codes_of(*rows)).find(codes_of(*asked))
    assert found.tolist() == [expected.index(sid) if sid in expected else -1 for sid in asked]


def test_find_keeps_the_shape_of_beams():
    table = SidTable(SPACE, codes_of([0, 0, 1], [2, 1, 3]))
    beams = np.array([[[2, 1, 3], [0, 0, 0]], [[0, 0, 1], [2, 1, 3]]], dtype=np.int32)
    assert table.find(beams).tolist() == [[1, -1], [0, 1]]
    assert table.find(np.array([2, 1, 3])) == 1


@pytest.mark.parametrize(
    "codes",
    [
        codes_of([3, 0, 0]),
        codes_of([0, 2, 0]),
        codes_of([0, 0, 4]),
        codes_of([0, 0, -1]),
        np.zeros((5, 2), dtype=np.int32),
        np.zeros((5, 4), dtype=np.int32),
        np.zeros(3, dtype=np.int32),
    ],
)
def test_codes_of_another_space_are_refused(codes):
    with pytest.raises(
        ArtifactError,
        match=r"SID codes of shape \(.*\) do not fit the space \(3, 2, 4\); .*Run the quantize",
    ):
        SidTable(SPACE, codes)
