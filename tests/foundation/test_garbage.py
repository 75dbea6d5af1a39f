"""When Python looks for garbage."""

import gc

import pytest

from genrecall.foundation.garbage import uncollected


def test_garbage_is_looked_for_again_afterwards():
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="within"), uncollected():
        raise ValueError("within")
    assert gc.isenabled()
