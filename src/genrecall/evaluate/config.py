"""Settings of the offline evaluation."""

from __future__ import annotations

from pydantic import Field

from genrecall.foundation.settings import Section


class EvaluateConfig(Section):
    """What is measured on the validation split, and on the test split when asked."""

    searches: int = Field(default=3000, ge=1)
    """Searches measured at most, drawn evenly over the split; the table says how many."""

    beam: int = Field(default=100, ge=1)
    """Widest beam of the hit@beam figures. Paper: 1, 10 and 100."""

    curve_beam: int = Field(default=300, ge=1)
    """Widest beam of the curves in `report.html`, for the last training stage. Paper: up to 195."""

    latency_searches: int = Field(default=200, ge=0)
    """Searches answered one by one, on one thread, for the latency figures; 0 for none."""

    latency_k: int = Field(default=100, ge=1)
    """Items asked for in those searches."""
