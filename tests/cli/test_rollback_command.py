"""`genrecall rollback`: an older version is served again, if it is whole."""

import json
import shutil

import pytest

from genrecall.foundation.versions import Versions


@pytest.fixture
def published(bundle, tmp_path):
    """Two versions of a bundle."""
    versions = Versions(tmp_path / "bundle")
    for name in ("000001", "000002"):
        shutil.copytree(bundle, versions.folder / name)
        versions.mean(name)
    return versions


def test_the_version_before_is_served_again(published, genrecall, error, tmp_path):
    told = genrecall("rollback", published.link, "--json", tmp_path / "told.json")
    assert "  000001  is served now\n  000002\n" in told
    assert json.loads((tmp_path / "told.json").read_text("utf-8")) == {
        "versions": ["000001", "000002"],
        "before": "000002",
        "now": "000001",
    }
    assert published.current == "000001"
    assert "has no version before 000001" in error("rollback", published.link)
    genrecall("rollback", published.link, "--to", "000002")
    assert published.current == "000002"
    assert "has no version '7'" in error("rollback", published.link, "--to", "7")


def test_a_damaged_one_is_not_served(published, error):
    (published.folder / "000001/quantize/space.json").write_text("{}")
    assert "000001/quantize/space.json differs from its" in error("rollback", published.link)
    assert published.current == "000002"
