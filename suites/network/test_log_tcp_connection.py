"""Every TCP connection is reported, from connect by sendmsg to close, and nothing is stopped."""

from dirty_equals import IsPositiveInt

from tetraproof.suite import Acts, AllOf, Exactly, Exec, Exit, InOrder, Kprobe, Run, command, look, policy

pytestmark = policy("log-tcp-connection")

acts = Acts(
    landing=command(
        "curl", "-s", "-XPOST", "deathstar.{galaxy.namespace}.svc.cluster.local/v1/request-landing", pod="tiefighter"
    ),
    # as whom deathstar sees tiefighter, by its own word
    seen=look(command("curl", "-s", "deathstar.{galaxy.namespace}.svc.cluster.local/v1/peer", pod="tiefighter")),
    refused=command("curl", "-sS", "-m", "5", "http://127.0.0.1:9/", pod="tiefighter"),
    unreachable=command("curl", "-sS", "-m", "5", "http://www.google.com/", pod="tiefighter"),
)
CURL = "/usr/bin/curl"
CONNECT, SENDMSG, CLOSE = (Kprobe(function, action="POST") for function in ("tcp_connect", "tcp_sendmsg", "tcp_close"))


def test_a_request_is_reported_from_exec_to_exit(run: Run) -> None:
    """The guide's request yields exec, connect, sendmsg with its bytes, close and exit, of one connection."""
    ends = {"saddr": run.bound("tiefighter.ip"), "daddr": run.bound("deathstar.service"), "dport": 80}
    assert run.landing.printed("Ship landed\n")
    assert run.landing.succeeded
    assert (
        InOrder(
            Exec(CURL),
            Kprobe("tcp_connect", action="POST", **ends).by(CURL),
            Kprobe("tcp_sendmsg", action="POST", bytes=IsPositiveInt, **ends).by(CURL),
            Kprobe("tcp_close", action="POST", **ends).by(CURL),
            Exit(CURL, status=0),
            same="sport",
        )
        in run.landing.timeline
    )


def test_a_request_is_reported_once(run: Run) -> None:
    """One request is one connect, one sendmsg and one close."""
    assert Exactly(1, CONNECT) in run.landing.timeline
    assert Exactly(1, SENDMSG) in run.landing.timeline
    assert Exactly(1, CLOSE) in run.landing.timeline


def test_the_answer_is_reported_too(run: Run) -> None:
    """The policy is the cluster's: what the other side sends back and closes is reported with it."""
    address, port = run.landing.as_seen_by("deathstar", by_its_word=run.seen)
    answer = {"daddr": address, "dport": port, "saddr": run.bound("deathstar.ip"), "pod": run.pod("deathstar")}
    sent = Kprobe("tcp_sendmsg", action="POST", bytes=IsPositiveInt, sport=80, **answer)
    assert AllOf(sent, Kprobe("tcp_close", action="POST", **answer)) in run.landing.surroundings


def test_a_refused_connection_sends_nothing(run: Run) -> None:
    """A connect that is refused is reported with its close, and without any sendmsg."""
    assert run.refused.exited(7)
    assert run.refused.free
    end = {"saddr": "127.0.0.1", "daddr": "127.0.0.1", "dport": 9}
    connect, close = (Kprobe(function, action="POST", **end).by(CURL) for function in ("tcp_connect", "tcp_close"))
    assert InOrder(Exec(CURL), connect, close, Exit(CURL, status=7)) in run.refused.timeline
    assert Exactly(1, CONNECT) in run.refused.timeline
    assert Exactly(1, CLOSE) in run.refused.timeline
    assert SENDMSG not in run.refused.timeline


def test_an_attempt_to_reach_the_internet_is_reported(run: Run) -> None:
    """A connect to the outside is reported with its address, whatever becomes of it."""
    end = {"saddr": run.bound("tiefighter.ip"), "dport": 80}
    connect, close = (Kprobe(function, action="POST", **end).by(CURL) for function in ("tcp_connect", "tcp_close"))
    assert InOrder(Exec(CURL), connect, close, Exit(CURL), same="daddr") in run.unreachable.timeline
    assert Exactly(1, CONNECT) in run.unreachable.timeline
    assert run.unreachable.free


def test_compact_shows_the_connection(run: Run) -> None:
    """`getevents -o compact` shows the five lines of the guide."""
    name, argv = "/usr/bin/curl", "-s -XPOST deathstar.{galaxy.namespace}.svc.cluster.local/v1/request-landing"
    pod, connection = "{tiefighter.pod}", "tcp {tiefighter.ip}:… -> {deathstar.service}:80"
    assert run.landing.shown(
        f"🚀 process {pod} {name} {argv}",
        f"🔌 connect {pod} {name} {connection}",
        f"📤 sendmsg {pod} {name} {connection} bytes …",
        f"🧹 close   {pod} {name} {connection}",
        f"💥 exit    {pod} {name} {argv} 0",
    )


def test_the_export_log_tells_the_same(run: Run) -> None:
    """The export-stdout log, filtered as the guide's `tetralogs` does it, holds just the stream's events."""
    assert run.export_tells_the_same("tiefighter")
