"""Settings that name paths: how they resolve, what of them is portable, what of them counts."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import ValidationError

from genrecall.foundation.artifact import writing
from genrecall.foundation.errors import ArtifactError, DataError
from genrecall.foundation.settings import (
    FOLDER,
    BundleFolder,
    BundleKind,
    InputFile,
    ModelName,
    Section,
)


class Inner(Section):
    """A section inside another one."""

    file: InputFile
    """A table."""

    rows: int = 3
    """No path."""


class Outer(Section):
    """A section with every kind of path."""

    table: Inner | None = None
    """A section."""

    kept: Annotated[Path, BundleKind(("data", "quantize"))] | None = None
    """A bundle of which parts count."""

    teacher: BundleFolder | None = None
    """A bundle that counts whole."""

    model: ModelName | None = None
    """A model."""


def read(folder, **values):
    return Outer.model_validate(values, context={FOLDER: folder})


def write_bundle(folder, **changes):
    contents = {"data": "items", "quantize": "sids", "generator": "weights"} | changes
    with writing(folder, kind="bundle") as scratch:
        for part, text in contents.items():
            (scratch / part).mkdir()
            (scratch / part / "file").write_text(text, "utf-8")
    return folder


def write_model(folder, weights="weights"):
    (folder / "onnx").mkdir(parents=True)
    (folder / "model.safetensors").write_text(weights, "utf-8")
    (folder / "config.json").write_text("{}", "utf-8")
    for name in ("README.md", ".hidden.json", "onnx/config.json"):
        (folder / name).write_text("no figure depends on this", "utf-8")
    return folder


def test_paths_resolve_against_a_folder_and_absolute_ones_stay(tmp_path):
    given = read(tmp_path / "sub", table={"file": "../items.csv"}, kept="old", teacher="/lm/bundle")
    assert given.table.file == tmp_path / "items.csv"
    assert given.kept == tmp_path / "sub/old"
    assert given.teacher == Path("/lm/bundle")
    alone = Outer(table={"file": "../items.csv"}, kept="old")
    assert (alone.table.file, alone.kept) == (Path("../items.csv"), Path("old"))


def test_a_model_is_a_directory_if_there_is_one(tmp_path):
    (tmp_path / "owner/name").mkdir(parents=True)
    assert read(tmp_path, model="owner/name").model == str(tmp_path / "owner/name")
    assert read(tmp_path / "sub", model="owner/name").model == "owner/name"
    with pytest.raises(ValidationError, match="at least 1 character"):
        read(tmp_path, model="")


def test_what_is_portable_names_no_folder_of_this_machine(tmp_path):
    model = write_model(tmp_path / "tiny")
    given = read(tmp_path, table={"file": "i.csv"}, kept="a/b", teacher="c/bundle", model="tiny")
    assert given.model == str(model)
    assert given.portable() == {
        "table": {"file": "i.csv", "rows": 3},
        "kept": "b",
        "teacher": "bundle",
        "model": "tiny",
    }
    assert read(tmp_path, model="owner/name").portable()["model"] == "owner/name"
    assert set(read(tmp_path).portable().values()) == {None}


def test_the_bytes_and_the_name_of_a_file_count_and_not_its_place(tmp_path):
    def content(path, text, **others):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return read(tmp_path, table={"file": path, **others}).content()

    before = content(tmp_path / "items.csv", "a,b")
    assert content(tmp_path / "moved/items.csv", "a,b") == before
    assert content(tmp_path / "items.csv", "a,c") != before
    assert content(tmp_path / "other.csv", "a,b") != before
    assert content(tmp_path / "items.csv", "a,b", rows=4) != before


def test_of_a_bundle_counts_what_its_type_says(tmp_path):
    def contents(folder):
        given = read(tmp_path, kept=folder, teacher=folder).content()
        return given["kept"], given["teacher"]

    kept, whole = contents(write_bundle(tmp_path / "a"))
    assert contents(write_bundle(tmp_path / "elsewhere")) == (kept, whole)
    assert contents(write_bundle(tmp_path / "b", data="other items"))[0] != kept
    same, other = contents(write_bundle(tmp_path / "c", generator="other weights"))
    assert same == kept
    assert other != whole


def test_of_a_model_the_files_count_that_are_read(tmp_path):
    def content(folder):
        return read(tmp_path, model=str(folder)).content()["model"]

    before = content(write_model(tmp_path / "a"))
    assert sorted(before) == ["config.json", "model.safetensors"]
    assert content(write_model(tmp_path / "b")) == before
    assert content(write_model(tmp_path / "c", "other")) != before
    (tmp_path / "a/README.md").write_text("new", "utf-8")
    assert content(tmp_path / "a") == before
    assert content("owner/name") == "owner/name"


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv does not exist\. Correct `table: file` in the"):
        read(tmp_path, table={"file": "none.csv"}).content()
    with pytest.raises(ArtifactError, match="none is not a GenRecall bundle"):
        read(tmp_path, kept="none").content()


def test_every_path_of_a_section_is_found(tmp_path):
    given = read(tmp_path, table={"file": "i.csv"}, teacher="t")
    assert [(path.where, path.value) for path in given.paths()] == [
        (("table", "file"), tmp_path / "i.csv"),
        (("teacher",), tmp_path / "t"),
    ]


@pytest.mark.parametrize("kind", [Path, Path | None, Annotated[Path, "a remark"], Path | str])
def test_a_path_without_a_kind_is_refused_at_the_class(kind):
    with pytest.raises(TypeError, match=r"^Silent\.file is a path of no kind.* as InputFile, "):
        type("Silent", (Section,), {"__annotations__": {"file": kind}, "__module__": __name__})


@pytest.mark.parametrize(
    "kind",
    [
        list[InputFile],
        dict[str, BundleFolder] | None,
        tuple[ModelName, ...],
        list[Path],
        list[Inner],
        list[Outer | None],
    ],
)
def test_paths_in_a_container_are_refused_at_the_class(kind):
    with pytest.raises(TypeError, match=r"^Silent\.files holds paths in a container"):
        type("Silent", (Section,), {"__annotations__": {"files": kind}, "__module__": __name__})
