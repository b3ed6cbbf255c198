"""Where the time of a run went, and what it adds to its own acts and policies."""

from __future__ import annotations

import pytest

from tetraproof.account import SENTINELS, SETTING_UP, Account


def test_what_is_spent_is_counted_by_what_it_was_spent_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time, also where the body fails."""
    clock = iter([10.0, 12.5, 20.0, 21.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    account = Account()
    with account.spending("acts"):
        pass
    with pytest.raises(KeyboardInterrupt), account.spending("acts"):
        raise KeyboardInterrupt
    assert account.spent == {"acts": 3.5}


def test_what_a_run_adds_is_a_share_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentinels and setting up are apart; what was counted elsewhere can be taken back."""
    account = Account()
    for what, seconds in (
        ("acts", 6.0),
        ("loading policies", 4.0),
        (SENTINELS, 7.0),
        (SENTINELS, -2.0),
        (SETTING_UP, 30.0),
    ):
        account.add(what, seconds)
    assert account.added(46.5) == 0.15
    assert account.added(45.0) == 0.0


def test_without_acts_there_is_no_share() -> None:
    """A run in which everything was unsupported."""
    account = Account()
    account.add(SETTING_UP, 5.0)
    assert account.added(9.0) is None
