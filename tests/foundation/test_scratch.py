"""A disk that takes no more, as libraries of all kinds say it; a limit of file sizes stands in."""

import errno
import resource

import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from genrecall.foundation.artifact import writing
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.optim import LinearDecay, SparseDenseAdam

LARGE = 10_000


@pytest.fixture
def small_files():
    """No file may have more than a thousand bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize(
    "write",
    [
        lambda path: save_file({"weights": torch.zeros(LARGE)}, path),
        lambda path: pl.DataFrame({"n": range(LARGE)}).write_parquet(path),
        lambda path: path.write_bytes(bytes(LARGE)),
    ],
    ids=["safetensors", "polars", "Python"],
)
def test_what_the_disk_does_not_take_is_an_error_of_the_system(tmp_path, write):
    with pytest.raises(OSError, match="File too large") as told, writing(tmp_path / "a", kind="k"):
        write(next(tmp_path.glob(".a-*")) / "file")
    assert told.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_files")
def test_a_checkpoint_that_does_not_fit_names_its_file(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(100, 100))
    rate = LinearDecay(0.1, 10)
    model.append(torch.nn.EmbeddingBag(100, 4, sparse=True))
    optimizer = SparseDenseAdam(model, dense=rate, sparse=rate)
    kept = Checkpoints(tmp_path, every=0.0)
    with pytest.raises(OSError, match="File too large") as told:
        kept._write(tmp_path / "part.safetensors", 1, model, optimizer)
    assert told.value.filename == str(tmp_path / "part.safetensors")
