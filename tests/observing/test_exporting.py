"""What an agent's settings make of its export log."""

from __future__ import annotations

import pytest

from tests.builders import SHELL_OF, event, execs, exits
from tetraproof.events.event import Event
from tetraproof.observing.exporting import hides
from tetraproof.observing.parity import Parity

MISSING = Parity(heard=True, only_stream=(exits(SHELL_OF),))
MORE = Parity(heard=True, only_export=(exits(SHELL_OF),))
SAME = Parity(heard=True)
LIMITED = event("rate_limit_info", {"number_of_dropped_process_events": "3"})
ALL = '{"event_set":["PROCESS_EXEC", "PROCESS_EXIT"]}'


@pytest.mark.parametrize(
    ("settings", "export", "parity", "named"),
    [
        ({}, [], MISSING, ""),
        ({"export-rate-limit": "-1", "field-filters": "", "enable-export-aggregation": "false"}, [], MISSING, ""),
        ({"field-filters": '{"fields":"process.pid"}'}, [], MISSING, "field-filters"),
        ({"field-filters": '{"fields":"process.pid"}'}, [], MORE, "field-filters"),
        ({"enable-export-aggregation": "true"}, [], MORE, "enable-export-aggregation"),
        ({"export-rate-limit": "0"}, [], Parity(heard=False), "export-rate-limit: 0"),
        ({"export-rate-limit": "50"}, [], MISSING, "export-rate-limit: 50"),
        ({"export-rate-limit": "-1"}, [LIMITED], MISSING, "export-rate-limit"),
        ({"export-allowlist": ALL}, [], MISSING, ""),
        ({"export-allowlist": '{"event_set":["PROCESS_EXEC"]}'}, [], MISSING, "export-allowlist"),
        ({"export-allowlist": '{"event_set":["PROCESS_EXEC"]}'}, [], MORE, ""),
        ({"export-allowlist": '{"namespace":["a"]}'}, [], MISSING, "export-allowlist"),
        ({"export-allowlist": '{"namespace":["other"]}'}, [], MISSING, ""),
        ({"export-denylist": '{"namespace":["", "other"]}'}, [], MISSING, "export-denylist"),
        ({"export-denylist": '{"namespace":["", "kube-system"]}'}, [], MISSING, ""),
        ({"export-allowlist": "[]"}, [], MISSING, ""),
        ({"export-allowlist": "nonsense"}, [], MISSING, ""),
        # what explains a difference explains none where there is none
        ({"field-filters": "x", "export-rate-limit": "50"}, [LIMITED], SAME, ""),
    ],
)
def test_a_setting_that_explains_a_difference_is_named(
    settings: dict[str, str], export: list[Event], parity: Parity, named: str
) -> None:
    """And one that cannot explain it is not."""
    why = hides(settings, [execs(SHELL_OF), *export], parity)
    assert named in why
    assert bool(why) is bool(named)
