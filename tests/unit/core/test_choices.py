from __future__ import annotations

from deepfactor.core.choices import choices


def test_what_was_meant_and_what_there_is():
    known = ("lr", "epochs", "Patience")
    assert choices("epoch", known) == "did you mean epochs? there are lr, epochs, Patience"
    assert choices("PATIENCE", known).startswith("did you mean Patience? ")
    assert choices("colour", known) == "there are lr, epochs, Patience"
    assert choices("x", ()) == "there are none"
