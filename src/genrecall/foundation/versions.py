"""Versions of a folder behind one name, and which of them is meant.

`runs/demo/bundle` is a link into `runs/demo/bundles/`, where each version is an artifact of its
own that is never written again. A new version, or an older one, is meant from the instant on in
which the link is replaced, which a file system does at once: who opens the name gets one version
or the other, and all files of it. The versions are numbered in the order of their publishing.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from genrecall.foundation.artifact import MANIFEST, Artifact, open_artifact, writing
from genrecall.foundation.errors import ArtifactError

KEPT: Final = 3
"""Versions that stay when a new one is published, it among them."""

_NAME: Final = re.compile(r"\d{6}")


@dataclass(frozen=True)
class Versions:
    """The versions behind a name.

    Attributes:
        link: the name, for example `runs/demo/bundle`.
    """

    link: Path

    @property
    def folder(self) -> Path:
        """Where they lie, for example `runs/demo/bundles`."""
        return self.link.with_name(f"{self.link.name}s")

    @property
    def names(self) -> list[str]:
        """Of the versions, in the order of their publishing."""
        if not self.folder.is_dir():
            return []
        found = (path.name for path in self.folder.iterdir() if (path / MANIFEST).is_file())
        return sorted(name for name in found if _NAME.fullmatch(name))

    @property
    def current(self) -> str | None:
        """The one that is meant; None where the name is no link to one."""
        target = self.link.resolve()
        meant = self.link.is_symlink() and target.parent == self.folder.resolve()
        return target.name if meant and target.is_dir() else None

    def open(self, name: str, *, kind: str) -> Artifact:
        """A version, checked.

        Raises:
            ArtifactError: there is none of that name, or it is damaged.
        """
        self._check(name)
        return open_artifact(self.folder / name, kind=kind)

    def _check(self, name: str) -> None:
        if name not in (names := self.names):
            known = ", ".join(names) or "none"
            raise ArtifactError(f"{self.folder} has no version {name!r}; there are: {known}.")

    @contextmanager
    def publishing(
        self, *, kind: str, inputs: str = "", meta: Mapping[str, Any] | None = None
    ) -> Iterator[Path]:
        """Write a new version, which is meant once the block has ended; see `writing`.

        Of the older ones the latest stay, and the one that was meant before.
        """
        self._adopt()
        before, name = self.current, self._next()
        with writing(self.folder / name, kind=kind, inputs=inputs, meta=meta) as scratch:
            yield scratch
        self.mean(name)
        for old in self.names[:-KEPT]:
            if old not in (name, before):
                shutil.rmtree(self.folder / old, ignore_errors=True)

    def mean(self, name: str) -> None:
        """Mean a version from now on.

        Raises:
            ArtifactError: there is none of that name.
        """
        self._check(name)
        scratch = self.link.with_name(f".{self.link.name}-link")
        scratch.unlink(missing_ok=True)
        scratch.symlink_to(Path(self.folder.name) / name)
        scratch.replace(self.link)
        _sync(self.link.parent)

    def before(self) -> str:
        """Name of the version before the one that is meant.

        Raises:
            ArtifactError: there is none before it.
        """
        names, current = self.names, self.current
        at = names.index(current) if current in names else 0
        if not at:
            raise ArtifactError(
                f"{self.link} has no version before {current or 'the one that is there'}; "
                f"there are: {', '.join(names) or 'none'}."
            )
        return names[at - 1]

    def _next(self) -> str:
        """Name of a version behind all others."""
        return f"{max(map(int, self.names), default=0) + 1:06}"

    def _adopt(self) -> None:
        """Make a folder that lies under the name itself, as earlier ones did, a version."""
        if self.link.is_symlink() or not self.link.is_dir():
            return
        self.folder.mkdir(exist_ok=True)
        name = self._next()
        self.link.rename(self.folder / name)
        self.mean(name)


def _sync(folder: Path) -> None:
    """Have the names in a folder outlive a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
