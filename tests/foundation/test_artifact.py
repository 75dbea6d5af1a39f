import json
import re
import shutil

import numpy as np
import pytest

from genrecall.foundation.artifact import (
    MANIFEST,
    UnlistedFilesError,
    content_hash,
    open_artifact,
    writing,
)
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.files import write_json
from genrecall.foundation.scratch import scratch_beside


@pytest.fixture
def published(tmp_path):
    """A folder with a file in a subfolder, an array, and an empty file."""
    return publish(tmp_path / "bundle")


def publish(target, text="one\n"):
    with writing(target, kind="bundle", inputs="abc", meta={"epochs": 3, "lr": 0.1}) as folder:
        (folder / "part").mkdir()
        (folder / "part" / "names.txt").write_text(text, "utf-8")
        np.save(folder / "codes.npy", np.arange(12))
        (folder / "empty").touch()
    return target


def edit_manifest(folder, **changes):
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_was_written_opens(published):
    artifact = open_artifact(published, kind="bundle")
    assert set(artifact.files) == {"codes.npy", "empty", "part/names.txt"}
    assert (artifact.kind, artifact.inputs) == ("bundle", "abc")
    assert artifact.meta == {"epochs": 3, "lr": 0.1}
    assert np.load(artifact.file("codes.npy")).tolist() == list(range(12))
    assert artifact.part("part").file("names.txt").read_text("utf-8") == "one\n"


def test_a_file_it_does_not_hold_is_named_with_those_it_holds(published):
    artifact = open_artifact(published, kind="bundle")
    with pytest.raises(ArtifactError, match=r"no file 'x'; it holds codes.npy, empty, part/names"):
        artifact.file("x")
    with pytest.raises(ArtifactError, match=r"part holds no file 'codes.npy'"):
        artifact.part("part").file("codes.npy")


def test_equal_contents_have_equal_digests(tmp_path):
    first, again = (open_artifact(publish(tmp_path / n), kind="bundle") for n in ("a", "b"))
    other = open_artifact(publish(tmp_path / "c", text="two\n"), kind="bundle")
    assert first.digest == again.digest != other.digest


def test_any_flipped_byte_is_refused_by_the_name_of_its_file(published):
    for path in files_of(published):
        intact = path.read_bytes()
        for place in range(len(intact)):
            damaged = bytearray(intact)
            damaged[place] ^= 1 << place % 8
            path.write_bytes(damaged)
            with pytest.raises(ArtifactError, match=path.name):
                open_artifact(published, kind="bundle")
        path.write_bytes(intact)
    open_artifact(published, kind="bundle")


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda _: b"", lambda b: b + b"\n"])
def test_another_length_is_refused(published, damage):
    path = published / "part" / "names.txt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ArtifactError, match=r"part/names.txt differs from its manifest .* bytes"):
        open_artifact(published, kind="bundle")


def test_a_missing_file_is_named(published):
    (published / "empty").unlink()
    with pytest.raises(ArtifactError, match=r"empty is missing\. Restore it from a copy or run"):
        open_artifact(published, kind="bundle")


def test_a_folder_without_manifest_is_no_artifact(tmp_path):
    with pytest.raises(ArtifactError, match=r"is not a GenRecall bundle: it has no manifest.json"):
        open_artifact(tmp_path, kind="bundle")
    with pytest.raises(
        ArtifactError, match=r"nowhere is not a GenRecall bundle: it does not exist"
    ):
        open_artifact(tmp_path / "nowhere", kind="bundle")


@pytest.mark.parametrize(
    "given",
    ["", "run", "run/bundle/part", "run/bundle/part/names.txt", "run/bundel", "run/stages/embed"],
)
def test_a_folder_a_little_too_high_or_too_low_is_told_the_right_one(tmp_path, given):
    folder = publish(tmp_path / "run" / "bundle")
    with pytest.raises(ArtifactError) as told:
        open_artifact(tmp_path / given, kind="bundle")
    why = "it has no manifest.json" if (tmp_path / given).exists() else "it does not exist"
    assert str(told.value).endswith(f"{why}. Give {folder}.")


@pytest.mark.parametrize("given", ["run", "run/bundle/data", "run/stages"])
def test_a_stage_that_was_not_given_is_named_where_it_lies(tmp_path, given):
    publish(tmp_path / "run" / "bundle")
    stage = tmp_path / "run" / "stages" / "data"
    with writing(stage, kind="data"):
        pass
    with pytest.raises(ArtifactError, match=rf"Give {stage}\.$"):
        open_artifact(tmp_path / given, kind="data")


def test_a_stage_that_is_given_for_a_bundle_is_told_the_bundle(tmp_path):
    folder = publish(tmp_path / "run" / "bundle")
    with writing(tmp_path / "run" / "stages" / "embed", kind="embed"):
        pass
    with pytest.raises(ArtifactError, match=f"where a 'bundle' is needed. Give {folder}"):
        open_artifact(tmp_path / "run" / "stages" / "embed", kind="bundle")


def test_errors_name_what_was_to_be_written_and_no_temporary_file(tmp_path):
    file = tmp_path / "none" / "a.json"
    with pytest.raises(FileNotFoundError) as told:
        write_json(file, {})
    assert told.value.filename == str(file)

    folder = tmp_path / "bundle"
    with pytest.raises(FileNotFoundError) as told, writing(folder, kind="bundle") as scratch:
        (scratch / "part" / "names.txt").write_text("a", "utf-8")
    assert told.value.filename == str(folder / "part" / "names.txt")

    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(FileNotFoundError) as told, writing(folder, kind="bundle"):
        elsewhere.read_text("utf-8")
    assert told.value.filename == str(elsewhere)

    with pytest.raises(FileNotFoundError) as told, scratch_beside(tmp_path / "none" / "bundle"):
        pass
    assert told.value.filename == str(tmp_path / "none" / "bundle")


def test_another_schema_is_refused(published):
    edit_manifest(published, schema=99)
    with pytest.raises(ArtifactError, match=r"has schema 99; this version reads 1\. Run the"):
        open_artifact(published, kind="bundle")


def test_another_kind_is_refused(published):
    with pytest.raises(ArtifactError, match=r"holds a 'bundle', where a 'quantize' is needed"):
        open_artifact(published, kind="quantize")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"schema": 1, "kind": "bundle", "files": {"a": 1}}']
)
def test_a_damaged_manifest_is_refused(published, text):
    (published / MANIFEST).write_text(text, "utf-8")
    with pytest.raises(ArtifactError, match=r"manifest.json is damaged \(.*Restore it from a copy"):
        open_artifact(published, kind="bundle")


def test_a_manifest_that_is_no_text_is_refused(published):
    (published / MANIFEST).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError, match=r"manifest.json is damaged"):
        open_artifact(published, kind="bundle")


@pytest.mark.parametrize("change", [{"inputs": "abd"}, {"meta": {"epochs": 4, "lr": 0.1}}])
def test_a_changed_manifest_is_refused(published, change):
    edit_manifest(published, **change)
    with pytest.raises(ArtifactError, match=r"manifest.json differs from its own SHA-256"):
        open_artifact(published, kind="bundle")


@pytest.mark.parametrize("outside", ["../secret.txt", "/etc/hostname", "part/../../secret.txt"])
def test_a_manifest_that_names_a_file_outside_is_refused(published, outside):
    (published.parent / "secret.txt").write_text("one\n", "utf-8")
    manifest = json.loads((published / MANIFEST).read_text("utf-8"))
    manifest["files"][outside] = manifest["files"].pop("part/names.txt")
    del manifest["sha256"]
    manifest["sha256"] = content_hash(manifest)
    write_json(published / MANIFEST, manifest)
    with pytest.raises(ArtifactError, match=r"which lies outside the folder"):
        open_artifact(published, kind="bundle")


def test_a_link_to_a_file_outside_is_refused(published):
    names = published / "part" / "names.txt"
    shutil.move(names, published.parent / "moved.txt")
    names.symlink_to(published.parent / "moved.txt")
    with pytest.raises(ArtifactError, match=r"which lies outside the folder"):
        open_artifact(published, kind="bundle")


@pytest.mark.parametrize(
    "name", ["adapter_config.json", "part/adapter_model.safetensors", ".hidden", "new/x.py"]
)
def test_a_file_that_the_manifest_does_not_list_is_refused(published, name):
    (published / name).parent.mkdir(exist_ok=True)
    (published / name).touch()
    with pytest.raises(
        UnlistedFilesError,
        match=rf"bundle holds {re.escape(name)}, which its manifest.json does not list; .* Move it",
    ):
        open_artifact(published, kind="bundle")


def test_of_many_unlisted_files_some_are_named(published):
    for number in range(5):
        (published / f"{number}.txt").touch()
    with pytest.raises(UnlistedFilesError, match=r"holds 0.txt, 1.txt, 2.txt and 2 more, which"):
        open_artifact(published, kind="bundle")


def test_a_link_to_a_folder_is_refused_and_an_empty_folder_is_nothing(published):
    (published / "nothing").mkdir()
    open_artifact(published, kind="bundle")
    (published.parent / "elsewhere").mkdir()
    (published / "link").symlink_to(published.parent / "elsewhere")
    with pytest.raises(UnlistedFilesError, match="holds link, which"):
        open_artifact(published, kind="bundle")


def test_an_exception_leaves_the_old_folder_and_no_scratch(published):
    before = {path: path.read_bytes() for path in files_of(published.parent)}
    with pytest.raises(KeyboardInterrupt), writing(published, kind="bundle") as folder:
        (folder / "new").write_text("half", "utf-8")
        raise KeyboardInterrupt
    assert {path: path.read_bytes() for path in files_of(published.parent)} == before


def test_an_exception_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(ValueError, match="stop"), writing(tmp_path / "new", kind="bundle"):
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_there_before_the_end(tmp_path):
    target = tmp_path / "deep" / "new"
    with writing(target, kind="bundle") as folder:
        assert folder.parent == target.parent
        assert not target.exists()
    assert open_artifact(target, kind="bundle").files == {}
    assert list(target.parent.iterdir()) == [target]


def test_publishing_again_replaces_everything(published):
    with writing(published, kind="bundle") as folder:
        (folder / "only").write_text("this", "utf-8")
    assert set(open_artifact(published, kind="bundle").files) == {"only"}
    assert [path.name for path in files_of(published)] == [MANIFEST, "only"]
    assert list(published.parent.iterdir()) == [published]


def test_others_may_read_what_is_published(published):
    assert published.stat().st_mode & 0o055 == 0o055


def test_meta_of_any_keys_reads_back(tmp_path):
    meta = {"by beam": {10: 0.5, 9: 0.25}, "sizes": (1, 2), "title": "Crème ½"}
    with writing(tmp_path / "a", kind="bundle", meta=meta):
        pass
    read = open_artifact(tmp_path / "a", kind="bundle").meta
    assert read == {"by beam": {"10": 0.5, "9": 0.25}, "sizes": [1, 2], "title": "Crème ½"}


def test_content_hash_tells_values_apart():
    values = [{}, [], "", None, 0, {"a": 1}, {"a": 1.5}, {"b": 1}, ["a"], "a", "é"]
    assert len({content_hash(value) for value in values}) == len(values)
    assert content_hash({"a": {"c": 1, "b": 2}}) == content_hash({"a": {"b": 2, "c": 1}})


def test_json_with_numbers_that_json_lacks_is_refused_and_leaves_the_old(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"x": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
