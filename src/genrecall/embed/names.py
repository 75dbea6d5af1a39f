"""What the views of a text are called, in settings and on disk."""

from __future__ import annotations

from typing import Final, Literal

IN_DOMAIN: Final = "in_domain"
STATIC: Final = "static"
PRETRAINED: Final = "pretrained"

ViewName = Literal["in_domain", "static", "pretrained"]
