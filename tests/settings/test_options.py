"""The options of a run: one list, however they are told, and every command that is printed can be typed."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.builders import ROOT
from tetraproof.errors import UsageError
from tetraproof.settings.options import GROUPS, OTHERS, TARGETS, Options, check, described, merged, spelled

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
#: make's variables, and what make passes each on as: `$(call given,KERNEL,kernel)`.
PASSED_ON = dict(re.findall(r"\$\(call (?:given|each),(\w+),([\w-]+)\)", MAKEFILE))
FLAGS = dict(re.findall(r"\$\(call flag,(\w+),([\w-]+)\)", MAKEFILE))
BY_NAME = {one.name: one for one in described()}

#: What a folder may be called.
NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=20)
VALUED = [one for one in described() if one.form != "flag"]


# as they are typed


@pytest.mark.parametrize(("variable", "name"), PASSED_ON.items())
def test_a_variable_of_make_is_spelled_as_make_passes_it_on(variable: str, name: str) -> None:
    """So that the two never differ."""
    assert spelled(f"{variable}=x", "tetraproof") == f"--{name} x"
    assert spelled(f"{variable}=x", "make") == f"{variable}=x"


@pytest.mark.parametrize(("variable", "name"), FLAGS.items())
def test_a_flag_of_make_has_no_value(variable: str, name: str) -> None:
    """KEEP=1 is --keep-cluster."""
    assert spelled(f"{variable}=1", "tetraproof") == f"--{name}"


def test_make_knows_most_of_the_options() -> None:
    """The table of the two tests above is that of the Makefile."""
    assert len(PASSED_ON) > 20
    assert len(FLAGS) > 2
    assert spelled("K=test_it", "tetraproof") == "-k test_it"
    assert spelled("make test TARGET=replay", "tetraproof") == "tetraproof test --target replay"
    assert spelled("make prove, make check", "tetraproof") == "tetraproof prove, make check"


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("add KERNEL=host.", "add --kernel host."),
        ("a chart may be given: CHART=", "a chart may be given: --chart"),
        ("the installation is not ours (AGENT=install)", "the installation is not ours (--agent install)"),
        ("name them (UPGRADE=), or not", "name them (--upgrade), or not"),
        ("use TARGET=kind, or TARGET=replay; both do", "use --target kind, or --target replay; both do"),
        ("BUNDLE=1.7.0 downloads it", "--bundle 1.7.0 downloads it"),
        ("OLD_KERNEL=x, MY-KERNEL=y, KERNELS=z, a=b", "OLD_KERNEL=x, MY-KERNEL=y, KERNELS=z, a=b"),
    ],
)
def test_a_sentence_keeps_its_punctuation(sentence: str, told: str) -> None:
    """What stands around an option is the sentence's."""
    assert spelled(sentence, "tetraproof") == told


@given(st.text(max_size=80))
@example("K = 3")
def test_text_without_a_variable_is_as_it_was(text: str) -> None:
    """Whatever it is."""
    if "=" not in text and "make" not in text:
        assert spelled(text, "tetraproof") == text


@given(st.lists(st.tuples(st.sampled_from(VALUED), NAMES), max_size=5))
@example([(BY_NAME["suites"], ".."), (BY_NAME["policies"], ".")])
@example([(BY_NAME["recording"], "it's, K=3; make test."), (BY_NAME["nodes"], "a,K=b")])
@example([(BY_NAME["recording"], "'"), (BY_NAME["policies"], "''")])
@example([(BY_NAME["recording"], "-x"), (BY_NAME["policies"], "-x y")])
@example([(BY_NAME["recording"], "a\u2003b"), (BY_NAME["policies"], "…")])
def test_a_printed_command_is_read_by_a_shell_as_it_was_meant(chosen: list[tuple[Any, str]]) -> None:
    """Quotes, blanks, dots and commas in a value survive; nothing within a value is taken for an option."""
    line = " ".join(["make test K=test_it", *(f"{one.make}={shlex.quote(value)}" for one, value in chosen)])
    program, command, *words = shlex.split(spelled(line, "tetraproof"))
    assert (program, command) == ("tetraproof", "test")
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-k")
    for one in VALUED:
        parser.add_argument(f"--{one.name}", action="append", default=[])
    read = parser.parse_args(words)
    assert read.k == "test_it"
    for option in VALUED:
        assert getattr(read, option.attribute) == [value for one, value in chosen if one == option], line


# what they are


def test_every_option_is_described_once_in_a_known_group() -> None:
    """And says what it is for."""
    for names in ([one.name for one in described()], [one.make for one in described()]):
        assert len(names) == len(set(names))
    assert not OTHERS.keys() & {one.make for one in described()}
    for one in described():
        assert one.group in GROUPS
        assert one.about
        assert set(one.on) <= set(TARGETS)
        assert one.form in {"flag", "text", "number", "path", "paths"}
    assert {one.form for one in described()} == {"flag", "text", "number", "path", "paths"}


def test_what_is_given_goes_before_what_is_configured(tmp_path: Path) -> None:
    """Each path from where it was said; None and an empty list are not given."""
    here, base = tmp_path / "here", tmp_path / "base"
    configured = {"reports": Path("out"), "policies": Path("p"), "suites": [Path("a"), Path("/b")], "slowness": 3}
    told = merged({"reports": Path("mine"), "policies": None, "suites": [], "kernel": "host"}, configured, here, base)
    assert told.reports == here / "mine"
    assert told.policies == base / "p"
    assert told.suites == (base / "a", Path("/b"))
    assert told.recordings == base / "recordings"
    assert (told.slowness, told.kernel, told.into, told.cluster_wide) == (3, "host", None, False)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"target": "nowhere"}, ["There is no target 'nowhere'.", "replay, standalone, kind, cluster"]),
        ({"images": "none"}, ["There is no images 'none'.", "image, packages"]),
        ({"kernel": "host"}, ["KERNEL= means nothing where the target is replay.", "TARGET=standalone"]),
        ({"record": Path("x")}, ["RECORD= means nothing"]),
        ({"cluster_wide": True}, ["CLUSTER_WIDE= means nothing"]),
        ({"slowness": 0.0}, ["SLOWNESS=0 ", "above 0"]),
        ({"slowness": -1.0}, ["SLOWNESS=-1 "]),
        ({"slowness": float("nan")}, ["SLOWNESS=nan "]),
        ({"slowness": float("inf")}, ["SLOWNESS=inf "]),
    ],
)
def test_an_option_that_means_nothing_is_refused(wrong: dict[str, Any], words: list[str]) -> None:
    """In a sentence that says what to choose."""
    with pytest.raises(UsageError) as refused:
        check(Options(**{"target": "replay", **wrong}), wrong)
    for word in words:
        assert word in str(refused.value)


def test_what_is_only_configured_may_be_of_another_target() -> None:
    """A project that says which kernel it runs on can be replayed."""
    options = Options(target="replay", kernel="debian:6.12")
    assert check(options, {"target": "replay"}) is options
