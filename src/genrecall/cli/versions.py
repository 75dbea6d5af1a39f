"""The command that means another version of a bundle: `rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from genrecall.cli.shared import BundleFolder, JsonFile, say_next, write_result


def rollback(
    bundle: BundleFolder,
    to: Annotated[
        str | None,
        typer.Option("--to", help="A version by its name; by default the one before."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Serve an older version of a bundle again, or with --to any that is kept.

    It is checked first, file by file. Whoever opens the bundle from then on gets it.
    """
    from genrecall.foundation.artifact import BUNDLE
    from genrecall.foundation.versions import Versions

    versions = Versions(bundle)
    before = versions.current
    wanted = versions.before() if to is None else to
    versions.open(wanted, kind=BUNDLE)
    versions.mean(wanted)
    for name in versions.names:
        print(f"  {name}{'  is served now' if name == wanted else ''}")
    write_result(json_file, {"versions": versions.names, "before": before, "now": wanted})
    say_next("recall", bundle, "a query", "-k", 10, "--explain")
