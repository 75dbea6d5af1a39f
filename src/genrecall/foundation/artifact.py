"""Folders on disk that are written once, hashed, and published by a rename.

A bundle and every stage output are such folders: files plus a `manifest.json` that names each file
with its size and SHA-256, and carries a hash of itself. A folder whose bytes do not match is
refused by the name of the file, since safetensors, npy and FAISS files load without complaint after
a byte has flipped. So is one with files that the manifest does not name: libraries that are given a
folder read what they find there, transformers an adapter.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.files import write_json
from genrecall.foundation.scratch import scratch_beside

SCHEMA_VERSION: Final = 1
MANIFEST: Final = "manifest.json"

_FLOORS: Final = 3  # folders above a wrong one in which the right one is looked for

_HASHERS: Final = 2  # threads that hash files, which Python lets go on beside each other

BUNDLE: Final = "bundle"
"""Kind of the folder that is served."""

_FEW: Final = 3
"""Files that an error names."""

Json = Any
"""A value that `json` can write: the manifest's `meta` is free-form."""


class UnlistedFilesError(ArtifactError):
    """A folder holds files that its manifest does not list: somebody's, and not to be replaced."""


@dataclass(frozen=True)
class Artifact:
    """A published folder whose files match their hashes.

    Attributes:
        path: the folder.
        kind: what it holds, for example `"bundle"` or `"quantize"`.
        inputs: hash of everything that it was made from; "" when nothing depends on it.
        meta: free-form facts of its maker.
        files: SHA-256 of each file by its path inside the folder.
    """

    path: Path
    kind: str
    inputs: str
    meta: Mapping[str, Json]
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Hash of the contents: equal folders have equal digests."""
        return content_hash(dict(self.files))

    def file(self, name: str) -> Path:
        """Path of one file.

        Raises:
            ArtifactError: the folder has no such file.
        """
        if name not in self.files:
            raise ArtifactError(
                f"{self.path} holds no file {name!r}; it holds {', '.join(sorted(self.files))}. "
                "It was written by another version; run the pipeline again."
            )
        return self.path / name

    def part(self, name: str) -> Artifact:
        """One subfolder as an artifact of its own, for example a stage inside a bundle."""
        inside = {
            file.removeprefix(f"{name}/"): sha256
            for file, sha256 in self.files.items()
            if file.startswith(f"{name}/")
        }
        return Artifact(self.path / name, kind=name, inputs="", meta={}, files=inside)

    @property
    def parts(self) -> dict[str, Artifact]:
        """All subfolders, by name."""
        names = {file.partition("/")[0] for file in self.files if "/" in file}
        return {name: self.part(name) for name in sorted(names)}

    def read_json(self, name: str) -> Json:
        """Read one JSON file."""
        return json.loads(self.file(name).read_text("utf-8"))


@contextmanager
def writing(
    target: Path, *, kind: str, inputs: str = "", meta: Mapping[str, Json] | None = None
) -> Iterator[Path]:
    """Write a folder that appears at `target` whole or not at all.

    The body writes into the yielded scratch folder. On success the manifest is added and the folder
    renamed to `target`, replacing an older one; on an exception nothing at `target` changes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with scratch_beside(target) as scratch:
        yield scratch
        names = sorted(str(p.relative_to(scratch)) for p in scratch.rglob("*") if p.is_file())
        files = {
            name: {"sha256": file_hash(scratch / name), "bytes": (scratch / name).stat().st_size}
            for name in names
        }
        manifest = {
            "schema": SCHEMA_VERSION,
            "kind": kind,
            "inputs": inputs,
            "meta": dict(meta or {}),
            "files": files,
        }
        write_json(scratch / MANIFEST, manifest | {"sha256": _own_hash(manifest)})
        scratch.chmod(0o755)  # mkdtemp makes private folders; a service may run as another user
        _publish(scratch, target)


def open_artifact(path: Path, *, kind: str) -> Artifact:
    """Open a folder, or the one that a link means, after checking every file.

    Raises:
        ArtifactError: the folder or a file is missing, has other bytes, kind or schema.
        UnlistedFilesError: the folder holds other files.
    """
    while True:
        # Of a link, all files are read where it points now, whatever it means meanwhile.
        folder = path.resolve() if path.is_symlink() else path
        try:
            return _open_folder(folder, kind=kind)
        except (ArtifactError, FileNotFoundError):
            # A version that is no longer meant may be deleted while it is read: then the next one.
            if not path.is_symlink() or path.resolve() == folder:
                raise


def _open_folder(path: Path, *, kind: str) -> Artifact:
    manifest_path = path / MANIFEST
    if not manifest_path.is_file():
        why = f"it has no {MANIFEST}" if path.exists() else "it does not exist"
        raise ArtifactError(f"{path} is not a GenRecall {kind}: {why}. {_instead(path, kind)}")
    try:
        manifest = json.loads(manifest_path.read_text("utf-8"))
        schema, found_kind, entries = manifest["schema"], manifest["kind"], manifest["files"]
        files = {str(name): str(entry["sha256"]) for name, entry in entries.items()}
        sizes = {str(name): int(entry["bytes"]) for name, entry in entries.items()}
        inputs, meta = manifest["inputs"], manifest["meta"]
        whole = manifest.pop("sha256") == _own_hash(manifest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{manifest_path} is damaged ({error!r}). Restore it from a copy or run the pipeline "
            "again."
        ) from error
    if schema != SCHEMA_VERSION:
        raise ArtifactError(
            f"{manifest_path} has schema {schema!r}; this version reads {SCHEMA_VERSION}. "
            "Run the pipeline again with this version."
        )
    if not whole:
        raise ArtifactError(
            f"{manifest_path} differs from its own SHA-256: it was changed or damaged after it was "
            "written. Restore it from a copy or run the pipeline again."
        )
    if found_kind != kind:
        raise ArtifactError(
            f"{path} holds a {found_kind!r}, where a {kind!r} is needed. {_instead(path, kind)}"
        )
    _check_files(path, files, sizes)
    _check_unlisted(path, files)
    return Artifact(path=path, kind=kind, inputs=inputs, meta=meta, files=files)


def _instead(path: Path, kind: str) -> str:
    """Which folder was meant, where it lies a little higher or lower."""
    about = [path, *list(path.parents)[:_FLOORS]]
    beside = (place / kind for folder in about for place in (folder, folder / "stages"))
    near = [*about[1:], *beside, *sorted(path.glob(f"*/{kind}"))]
    for folder in near:
        if folder.name == kind and (folder / MANIFEST).is_file():
            return f"Give {folder}."
    return "Give the folder that `genrecall run` printed."


def content_hash(value: Json) -> str:
    """SHA-256 of a JSON value, independent of key order.

    >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _own_hash(manifest: Mapping[str, Json]) -> str:
    """Hash of a manifest as it reads back, where all keys are texts."""
    return content_hash(json.loads(json.dumps(manifest)))


def _check_unlisted(folder: Path, files: Mapping[str, str]) -> None:
    # Links are never written, and a linked folder may hold anything.
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    names = {path.relative_to(folder).as_posix() for path in found}
    if unlisted := sorted(names - files.keys() - {MANIFEST}):
        more = f" and {len(unlisted) - _FEW:,} more" if len(unlisted) > _FEW else ""
        raise UnlistedFilesError(
            f"{folder} holds {', '.join(unlisted[:_FEW])}{more}, which its {MANIFEST} does not "
            "list; what GenRecall has written is nobody else's to add to. Move it out of the "
            "folder, or delete it."
        )


def _check_files(folder: Path, files: Mapping[str, str], sizes: Mapping[str, int]) -> None:
    inside = folder.resolve()
    for name in files:
        if not (folder / name).resolve().is_relative_to(inside):
            raise ArtifactError(
                f"{folder / MANIFEST} names {name!r}, which lies outside the folder."
            )
        if not (folder / name).is_file():
            raise ArtifactError(
                f"{folder / name} is missing. Restore it from a copy or run the pipeline again."
            )
    # Large ones first, so that no thread is left with one at the end.
    ordered = sorted(files, key=lambda name: -sizes[name])
    with ThreadPoolExecutor(_HASHERS) as pool:
        hashes = pool.map(lambda name: file_hash(folder / name), ordered)
        found = dict(zip(ordered, hashes, strict=True))
    for name, sha256 in files.items():
        size = (folder / name).stat().st_size
        if size != sizes[name] or found[name] != sha256:
            raise ArtifactError(
                f"{folder / name} differs from its manifest (SHA-256 {found[name][:12]}…, expected "
                f"{sha256[:12]}…; {size} bytes, expected {sizes[name]}): it was changed or damaged "
                "after it was written. Restore it from a copy or run the pipeline again."
            )


def _publish(scratch: Path, target: Path) -> None:
    for path in scratch.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    if target.exists():
        # A rename cannot replace a folder that is not empty: move the old one aside first. Readers
        # that hold its files open keep them.
        old = Path(mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
        target.rename(old / target.name)
        scratch.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        scratch.rename(target)
