"""What a request tells of its shopper against what a generator reads of shoppers."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from genrecall.data.shoppers import Shopper
from genrecall.foundation.errors import RequestError, unknown_name
from genrecall.generator.history import ShopperSettings

_SHOWN: Final = 10  # values that a note repeats


def check_shopper(
    shopper: Shopper | None, settings: ShopperSettings, catalog: Container[str]
) -> tuple[str, ...]:
    """Refuse a shopper who cannot be meant so, and note what changes nothing.

    A field that is never read is a mistake of whoever asks. A value that is not read may come any
    day, and an item may leave the shop: the rest is read.

    Args:
        shopper: of a request.
        settings: what the generator reads.
        catalog: the ids of its items.

    Returns:
        Notes on what changes nothing.

    Raises:
        RequestError: nothing is read of shoppers, no history is, or an unknown field of a profile.
    """
    if shopper is None or not (shopper.profile or shopper.history):
        return ()
    fields = settings.fields
    if not fields and not settings.history:
        raise RequestError(
            "this generator reads nothing of shoppers, since its log told neither who searched "
            "nor when; leave the shopper out."
        )
    if shopper.history and not settings.history:
        raise RequestError(
            "this generator reads no history (`generator.history` was 0); leave it out."
        )
    if shopper.profile and not fields:
        raise RequestError("this generator was taught no profiles; leave the profile out.")
    notes = []
    for field, value in shopper.profile:
        if field not in fields:
            raise RequestError(unknown_name("field of a profile", field, fields))
        if (field, value) not in settings.pairs:
            known = sorted(taught for name, taught in settings.pairs if name == field)
            more = ", …" if len(known) > _SHOWN else ""
            notes.append(
                f"{field} {value!r} of the profile is not read; training knew "
                f"{', '.join(known[:_SHOWN])}{more}"
            )
    if gone := [item for item in shopper.history if item not in catalog]:
        notes.append(
            f"{len(gone):,} of {len(shopper.history):,} items of the history are not in the "
            f"catalog, such as {gone[0]!r}"
        )
    return tuple(notes)
