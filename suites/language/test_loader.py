"""Loader: what is mapped to be run, with its build ID. Such an event names no policy, and no agent counts it."""

from dirty_equals import IsBytes

from fixtures.language import small_program
from tetraproof.suite import Acts, Loader, Run, command, policy, prepare

pytestmark = policy("language/loader")

WITHOUT_BUILD_ID = "/tmp/lang-loader"
acts = Acts(
    written=prepare(small_program(WITHOUT_BUILD_ID)),
    near=command(WITHOUT_BUILD_ID),
    match=command("/usr/bin/factor", "7"),
)


def test_what_is_mapped_is_reported(run: Run) -> None:
    """A program is reported when it is mapped to be run, with its build ID."""
    assert run.match.succeeded
    assert Loader(path="/usr/bin/factor", buildid=IsBytes(min_length=1)) in run.match.timeline


def test_what_has_no_build_id_is_not(run: Run) -> None:
    """A program without a build ID runs, and nothing is reported of it."""
    assert run.near.succeeded
    assert Loader() not in run.near.timeline
