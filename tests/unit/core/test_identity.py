"""Keys of long work don't change when a setting is added whose default is the old way."""

from __future__ import annotations

from deepfactor.core.spec import Spec, content_key


class Before(Spec):
    hidden: int = 64
    groups: int = 5


class After(Spec):
    hidden: int = 64
    groups: int = 5
    way: str = "old"


def test_an_added_setting_at_its_default_leaves_the_identity() -> None:
    assert content_key(Before(groups=10).identity()) == content_key(After(groups=10).identity())


def test_what_is_said_is_in_the_identity() -> None:
    assert After(way="new").identity() == {"way": "new"}
    assert After(way="new").identity() != After().identity()
