"""The base of every config section: frozen, strict about names, documented field by field."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the config. The docstring under a field says what it does and its unit."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
