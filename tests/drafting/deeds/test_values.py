"""Paths just inside of a selector, and just outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.drafting.policies import PATHS
from tetraproof.drafting.deeds.values import Inside, inside, outside, scratch, usable
from tetraproof.drafting.foretelling.matching import holds
from tetraproof.drafting.foretelling.reading import Asked
from tetraproof.drafting.place import Place

SITE = Place(
    "nginx", says="mkdir -p /usr/share/nginx/html; echo x > /usr/share/nginx/html/index.html; cat /etc/nginx/a.conf"
)
PROBE = Place("probe")


def asked(operator: str, *values: str) -> Asked:
    return Asked(0, operator, values)


@pytest.mark.parametrize(
    ("filters", "paths"),
    [
        ([asked("Equal", "/tmp/a", "/tmp/b")], ["/tmp/a", "/tmp/b"]),
        ([asked("Equal", "/etc/passwd\0")], ["/etc/passwd"]),
        ([asked("Prefix", "/srv/data")], ["/srv/data/guarded"]),
        ([asked("Prefix", "/usr/share/nginx/html/")], ["/usr/share/nginx/html/index.html"]),
        ([asked("Prefix", "/etc/")], ["/etc/guarded"]),
        ([asked("Prefix", "/etc/shadow")], ["/etc/shadow"]),
        ([asked("Prefix", "/etc/pam.conf")], ["/etc/pam.conf"]),
        ([asked("Prefix", "/srv/"), asked("Postfix", ".key")], ["/srv/guarded.key"]),
        ([asked("Postfix", ".bashrc")], ["/tmp/guarded.bashrc"]),
        ([asked("Postfix", "tools/nop")], ["/tmp/tools/nop"]),
        ([asked("SubString", "secret")], ["/tmp/secret", "/tmp/secret/x"]),
        ([asked("NotPrefix", "/usr/")], ["/tmp/guarded"]),
        ([asked("NotEqual", "/tmp/guarded")], []),
        ([asked("Equal", "/bin/sh", "relative", "/", "/a/../b", "/tmp/a\n")], []),
        ([], ["/tmp/guarded"]),
    ],
)
def test_inside(filters: list[Asked], paths: list[str]) -> None:
    """A path for each value; one that a workload speaks of where there is one in that very folder."""
    assert [one.path for one in inside(filters, SITE)] == paths


@pytest.mark.parametrize(
    ("filters", "guarded", "beside"),
    [
        (
            [asked("Equal", "/tmp/tetragon")],
            Inside("/tmp/tetragon"),
            ["/tmp/bar", "/tmp/tetragon2", "/tmp/tetrago", "/root/tmp/tetragon"],
        ),
        (
            [asked("Equal", "/tmp/a", "/tmp/a2")],
            Inside("/tmp/a"),
            ["/tmp/bar", "/root/tmp/a"],
        ),
        ([asked("Prefix", "/srv/data/")], Inside("/srv/data/guarded", "/srv/data"), ["/srv/data2"]),
        ([asked("Prefix", "/srv/data")], Inside("/srv/data/guarded", "/srv/data"), ["/srv/dat"]),
        ([asked("Postfix", ".key")], Inside("/tmp/guarded.key"), ["/tmp/guarded.key2", "/tmp/guardedkey"]),
        ([asked("SubString", "secret")], Inside("/tmp/secret"), ["/tmp/bar", "/tmp/secre"]),
        ([asked("NotPrefix", "/usr/")], Inside("/tmp/guarded"), ["/usr/exempt"]),
        ([asked("NotEqual", "/etc/passwd")], Inside("/tmp/guarded"), ["/etc/passwd"]),
    ],
)
def test_outside(filters: list[Asked], guarded: Inside, beside: list[str]) -> None:
    """By one character, by the folder, by the name: and never one that another value takes."""
    assert [one.path for one in outside(filters, guarded)] == beside


@given(
    st.lists(st.tuples(st.sampled_from(["Equal", "Prefix", "Postfix", "SubString", "NotPrefix"]), PATHS), max_size=3)
)
def test_what_is_inside_is_taken_and_what_is_outside_is_not(filters: list[tuple[str, str]]) -> None:
    """Whatever is asked for."""
    wanted = [asked(operator, value) for operator, value in filters]
    for one in inside(wanted, PROBE):
        assert usable(one.path)
        assert all(holds(filtered, one.path, {}) is True for filtered in wanted)
        for other in outside(wanted, one):
            assert usable(other.path)
            assert not all(holds(filtered, other.path, {}) is True for filtered in wanted)


def test_files_beside_are_made_where_nobody_guards() -> None:
    """In /tmp, unless that is what is guarded."""
    assert scratch([[asked("Equal", "/tmp/tetragon")]]) == "/tmp"
    assert scratch([[asked("Prefix", "/tmp/")], [asked("Prefix", "/var/")]]) == "/root"
    assert scratch([[]]) == "/tmp"
