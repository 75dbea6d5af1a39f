import pytest
from imported import Import
from ubi_log import write_log


@pytest.fixture
def imported(tmp_path):
    """Import queries and events of UBI; each call is a log of its own."""
    calls = iter(range(100))

    def run(queries, events=(), **options):
        return Import("ubi", write_log(tmp_path / f"log{next(calls)}", queries, events), **options)

    return run
