"""A bundle that was made with other settings than today's is refused by their names."""

import shutil

import pytest

import genrecall
from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.errors import ArtifactError
from genrecall.pipeline.evaluate import evaluate_bundle


def remade(bundle, target, **sections):
    """A copy of a bundle that says that it was made with other settings."""
    meta = open_artifact(bundle, kind="bundle").meta
    meta = meta | {"config": meta["config"] | sections}
    with writing(target, kind="bundle", meta=meta) as folder:
        for part in ("data", "embed", "quantize", "generator"):
            shutil.copytree(bundle / part, folder / part)
    return target


def test_a_bundle_of_a_version_with_other_settings_is_refused_by_their_names(shop_run, tmp_path):
    def message(name, **channels):
        old = remade(shop_run.bundle, tmp_path / name, channels=channels)
        with pytest.raises(ArtifactError, match=r"by version .* other settings \(.*\)\. R") as told:
            genrecall.load(old)
        return str(told.value)

    told = message("moved", fusion={"method": "rrf"}, generative={"look_ahead_temperature": 0.1})
    assert "channels.fusion: this setting is now funnel.fusion" in told
    assert "channels.generative.look_ahead_temperature: this setting is now generator." in told
    assert "(channels.future: Extra inputs are not" in message("future", future={"method": "new"})


def test_evaluating_names_other_settings_of_all_sections(shop_run, tmp_path):
    settings = {"generator": {"match_temperature": 0.1}}
    old = remade(shop_run.bundle, tmp_path / "bundle", **settings)
    with pytest.raises(ArtifactError, match=r"\(generator\.match_temperature: this setting is now"):
        evaluate_bundle(old, split="validation", data=shop_run.stage("data"))
