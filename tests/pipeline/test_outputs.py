import numpy as np
import pytest

from genrecall.bundle import open_bundle
from genrecall.channels.base import Request
from genrecall.foundation.errors import ArtifactError
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.stages import open_made


def test_stages_are_opened_as_the_bundle_of_them(shop_run):
    bundle = open_bundle(shop_run.bundle)
    stages = open_made(shop_run, bundle.channels)
    asked = [Request("red drill")]
    for name in ("generative", "dense", "lexical"):
        (mine,), (theirs,) = (getattr(parts, name)().rank(asked, 20) for parts in (stages, bundle))
        np.testing.assert_array_equal(mine.rows, theirs.rows)
        np.testing.assert_array_equal(mine.scores, theirs.scores)


def test_a_stage_that_has_not_run_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"stages/embed"):
        Outputs(tmp_path).open_stage("embed")
