"""Where the time of a run went, and what it adds to its own acts and policies."""

from __future__ import annotations

import pytest

from tetraproof.pacing.account import INSTALLING, LOADING_IMAGES, MAKING, SENTINELS, SETTING_AGENTS, SETTING_UP, Account


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


def test_what_is_counted_within_something_is_counted_there_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the body fails."""
    clock = iter([0.0, 10.0, 40.0, 45.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    account = Account()
    with pytest.raises(KeyboardInterrupt), account.spending(SETTING_UP), account.spending(INSTALLING, SETTING_UP):
        raise KeyboardInterrupt
    assert account.spent == {INSTALLING: 30.0, SETTING_UP: 15.0}


def test_what_a_run_adds_is_a_share_of_its_own() -> None:
    """Sentinels, agents that are set, and what happens once are apart; what was counted elsewhere can be taken back."""
    account = Account()
    for what, seconds in (
        ("acts", 60.0),
        ("loading policies", 40.0),
        (SENTINELS, 7.0),
        (SENTINELS, -2.0),
        (SETTING_UP, 10.0),
        (MAKING, 80.0),
        (LOADING_IMAGES, 20.0),
        (INSTALLING, 30.0),
        (SETTING_AGENTS, 25.0),
    ):
        account.add(what, seconds)
    assert account.added(285.0) == 0.15
    assert account.added(270.0) == 0.0


@pytest.mark.parametrize("own", [0.0, 3.0])
def test_without_much_of_its_own_there_is_no_share(own: float) -> None:
    """A run in which everything was unsupported, or of seconds: a share would only say how quick its acts were."""
    account = Account()
    account.add("acts", own)
    account.add("evidence", 12.0)
    assert account.added(400.0) is None
