"""The stages in order."""

from __future__ import annotations

from typing import Final

STAGES: Final = ("data", "embed", "quantize", "generator", "evaluate")


_READS: Final = {
    "embed": ("titles", "training"),
    "quantize": ("categories", "training"),
    "generator": ("titles", "training"),
}
"""What each training stage reads of the tables."""


_PATHS: Final = {"warm_start": True, "distill": {"teacher"}}
"""Settings that name bundles: what these hold counts, not where they lie."""
