"""Versions behind a link: whole, in order, and never missing while one replaces another."""

import subprocess
import sys

import pytest

from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.versions import KEPT, Versions


@pytest.fixture
def versions(tmp_path):
    return Versions(tmp_path / "run" / "bundle")


def publish(versions, text):
    with versions.publishing(kind="bundle", meta={"text": text}) as folder:
        for name in ("a", "b"):
            (folder / name).write_text(text)


def opened(versions):
    found = open_artifact(versions.link, kind="bundle")
    texts = {found.meta["text"], *(found.file(name).read_text() for name in ("a", "b"))}
    assert len(texts) == 1
    return texts.pop()


def test_the_newest_is_meant_and_the_latest_stay(versions):
    assert (versions.names, versions.current) == ([], None)
    for number in range(1, 6):
        publish(versions, str(number))
        assert opened(versions) == str(number)
    assert versions.names == ["000003", "000004", "000005"] and len(versions.names) == KEPT
    assert versions.current == "000005"
    assert versions.open("000004", kind="bundle").meta["text"] == "4"


def test_an_older_one_can_be_meant_again(versions):
    for text in "abc":
        publish(versions, text)
    for text in "ba":
        versions.mean(versions.before())
        assert opened(versions) == text
    with pytest.raises(ArtifactError, match=r"no version before 000001; there are: 000001, 00"):
        versions.before()
    versions.mean("000003")
    assert opened(versions) == "c"
    with pytest.raises(ArtifactError, match=r"has no version '7'; there are: 000001, 000002, 0"):
        versions.mean("7")
    with pytest.raises(ArtifactError, match="has no version '7'"):
        versions.open("7", kind="bundle")


def test_what_is_meant_stays_however_many_are_newer(versions):
    for text in "abc":
        publish(versions, text)
    versions.mean("000001")
    publish(versions, "d")
    assert versions.names == ["000001", "000002", "000003", "000004"]
    assert opened(versions) == "d"


def test_what_fails_is_no_version(versions):
    publish(versions, "a")
    with (
        pytest.raises(ZeroDivisionError),
        versions.publishing(kind="bundle", meta={"text": "b"}),
    ):
        _ = 1 / 0
    assert (versions.names, opened(versions)) == (["000001"], "a")


def test_a_folder_of_that_name_becomes_the_first_version(versions):
    with writing(versions.link, kind="bundle", meta={"text": "old"}) as folder:
        for name in ("a", "b"):
            (folder / name).write_text("old")
    publish(versions, "new")
    assert (versions.names, opened(versions)) == (["000001", "000002"], "new")
    versions.mean(versions.before())
    assert opened(versions) == "old"


PUBLISHER = """
import sys
from pathlib import Path
from genrecall.foundation.versions import Versions
versions = Versions(Path(sys.argv[1]))
for number in range(100_000):
    with versions.publishing(kind="bundle", meta={"text": str(number)}) as folder:
        for name in ("a", "b"):
            (folder / name).write_text(str(number))
"""


def test_no_open_fails_while_versions_are_published(versions):
    publish(versions, "first")
    process = subprocess.Popen([sys.executable, "-c", PUBLISHER, str(versions.link)])
    seen = set()
    try:
        for _ in range(2000):
            found = open_artifact(versions.link, kind="bundle")
            seen.add(found.meta["text"])
    finally:
        process.kill()
        process.wait()
    assert len(seen) > 3
    # Killed at any point, what is meant is whole.
    assert opened(versions)
