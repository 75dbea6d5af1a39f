"""`quantize: {warm_start: BUNDLE}` in a run."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from tiny_shop import SETTINGS, in_domain, items, write_jsonl, write_shop

from genrecall.config import Config, load_config
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ArtifactError, ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.quantize.load import load_previous, load_sids
from genrecall.quantize.stability import sid_stability

EMBED = in_domain(width=32, dim=16, steps=80, batch=64)  # as `shop_run`


class Heard(SilentLog):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def grown_shop(folder, bundle, **quantize) -> Config:
    """The shop of `shop_run` with twelve more items in other order."""
    settings = SETTINGS["quantize"] | {"warm_start": str(bundle)} | quantize
    config = write_shop(folder, settings={"embed": EMBED, "quantize": settings})
    more = [
        item | {"item_id": f"new-{number}", "title": f"{item['title']} II"}
        for number, item in enumerate(items()[::10])
    ]
    write_jsonl(folder / "items.jsonl", [*more, *items()])
    return load_config(config)


def quantize_grown(config, out, log=None):
    return run(config, Outputs(out), last="quantize", log=log or SilentLog()).ran


def test_items_keep_their_sids_by_their_id(tmp_path, shop_run):
    kept = shutil.copytree(shop_run.bundle, tmp_path / "kept")
    config = grown_shop(tmp_path / "shop", "../kept")
    assert config.quantize.warm_start == kept
    out, log = tmp_path / "run", Heard()
    quantize_grown(config, out, log)
    assert any("of 120 known items moved" in line for line in log.lines)
    assert any("12 new items" in line for line in log.lines)
    after = load_sids(open_artifact(out / "stages/quantize", kind="quantize")).table
    ids = [f"new-{number}" for number in range(12)] + [item["item_id"] for item in items()]
    previous = load_previous(open_artifact(kept, kind="bundle"), ids)
    assert previous.rows[:12].tolist() == [-1] * 12
    before = previous.sids.table
    # The encoder was trained anew on other titles, and still most SIDs stay.
    assert sid_stability(before.codes, after.codes, previous.rows).moved < 0.3

    assert quantize_grown(config, out) == ()
    # What is kept counts, not where it lies.
    moved = kept.rename(tmp_path / "moved")
    config = config.model_copy(
        update={"quantize": config.quantize.model_copy(update={"warm_start": moved})}
    )
    assert quantize_grown(config, out) == ()
    cold = config.quantize.model_copy(update={"warm_start": None})
    assert quantize_grown(config.model_copy(update={"quantize": cold}), out) == ("quantize",)


def test_a_bundle_does_not_tell_where_the_kept_one_lay(tmp_path, shop_run):
    config = grown_shop(tmp_path / "shop", shop_run.bundle)
    outputs = Outputs(tmp_path / "run")
    run(config, outputs, log=SilentLog())
    meta = open_artifact(outputs.bundle, kind="bundle").meta
    assert meta["config"]["quantize"]["warm_start"] == "bundle"
    assert str(shop_run.folder) not in json.dumps(meta)


def test_what_cannot_be_kept_is_refused_before_anything_runs(tmp_path, shop_run):
    out = tmp_path / "run"
    with pytest.raises(ConfigError, match=r"this run replaces .*run/bundle\. Give another --out"):
        quantize_grown(grown_shop(tmp_path / "a", out / "bundle"), out)
    with pytest.raises(ArtifactError, match=r"none is not a GenRecall bundle"):
        quantize_grown(grown_shop(tmp_path / "b", tmp_path / "none"), out)
    stage = shop_run.stage("quantize")
    with pytest.raises(ArtifactError, match=r"holds a 'quantize', where a 'bundle' is needed"):
        quantize_grown(grown_shop(tmp_path / "c", stage), out)
    assert not (out / "stages").exists()


def test_the_path_resolves_against_the_config(tmp_path):
    path = tmp_path / "c.yaml"

    def kept(quantize):
        values = {"data": {"items": {"file": "i.csv"}}, "quantize": quantize}
        path.write_text(yaml.safe_dump(values), "utf-8")
        return load_config(path).quantize.warm_start

    assert kept({"warm_start": "old/bundle"}) == (tmp_path / "old/bundle").resolve()
    assert str(kept({"warm_start": "/old/bundle"})) == "/old/bundle"
    assert kept({}) is None
    with pytest.raises(ConfigError, match=r"quantize: Input should be a valid dictionary"):
        kept([])
