import numpy as np
import pytest

from genrecall.bundle import open_bundle
from genrecall.channels.base import Request
from genrecall.foundation.artifact import writing
from genrecall.foundation.errors import ArtifactError
from genrecall.pipeline.outputs import Outputs, find_artifact
from genrecall.pipeline.stages import open_made


def test_stages_are_opened_as_the_bundle_of_them(shop_run):
    bundle = open_bundle(shop_run.bundle)
    stages = open_made(shop_run, bundle.channels)
    asked = [Request("red drill")]
    for name in ("generative", "dense", "lexical"):
        (mine,), (theirs,) = (getattr(parts, name)().rank(asked, 20) for parts in (stages, bundle))
        np.testing.assert_array_equal(mine.rows, theirs.rows)
        np.testing.assert_array_equal(mine.scores, theirs.scores)


def test_what_somebody_put_into_a_published_folder_is_told_and_not_replaced(tmp_path):
    with writing(tmp_path / "embed", kind="embed") as folder:
        (folder / "a").touch()
    (tmp_path / "embed" / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(ArtifactError, match=r"embed holds notes.txt, which its .* Move it out of"):
        find_artifact(tmp_path / "embed", kind="embed")
    assert (tmp_path / "embed" / "notes.txt").read_text("utf-8") == "mine"


def test_a_stage_that_has_not_run_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"stages/embed"):
        Outputs(tmp_path).open_stage("embed")
