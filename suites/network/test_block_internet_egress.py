"""From galaxy, whoever connects by TCP to anywhere but localhost, pods and services is killed."""

from dirty_equals import FunctionCheck

from tetraproof.policies.binding import INTERNET, within
from tetraproof.suite import Acts, Exactly, Exec, Exit, InOrder, Kprobe, Pattern, Run, command, limit, policy, shell

pytestmark = policy("block-internet-egress")

DIAL = 'import socket; s=socket.socket(); s.settimeout(5); s.connect(("{internet.ip}", 443))'
acts = Acts(
    by_name=command("curl", "-sS", "-m", "8", "www.google.com", pod="tiefighter"),
    by_address=command("curl", "-sS", "-m", "8", "http://{internet.ip}/", pod="tiefighter"),
    in_cluster=command(
        "curl", "-s", "-XPOST", "deathstar.{galaxy.namespace}.svc.cluster.local/v1/request-landing", pod="tiefighter"
    ),
    localhost=command("curl", "-sS", "-m", "5", "http://127.0.0.1:9/", pod="tiefighter"),
    child=shell("curl -sS -m 8 www.google.com; echo rc=$?", pod="tiefighter"),
    udp=shell("echo x > /dev/udp/{internet.ip}/53 && echo sent", pod="tiefighter"),
    silent=command("python3", "-c", DIAL, pod="tiefighter"),
    outside_by_one=command("curl", "-sS", "-m", "5", "http://{ranges.outside}/", pod="tiefighter"),
    other_namespace=command("curl", "-sS", "-m", "8", "www.google.com"),
)
CURL = "/usr/bin/curl"


def blocked(run: Run, **fields: object) -> Pattern:
    """The event of a blocked connection: to an address in none of the allowed ranges."""
    allowed = ("127.0.0.1", run.bound("ranges.pods"), run.bound("ranges.services"))
    fields.setdefault("daddr", FunctionCheck(lambda address: not within(address, allowed)))
    saddr = run.bound("tiefighter.ip")
    return Kprobe("tcp_connect", action="SIGKILL", saddr=saddr, **fields)


def test_the_internet_by_name_is_killed(run: Run) -> None:
    """The guide's `curl www.google.com` is killed as it connects."""
    assert run.by_name.killed
    wanted = blocked(run, dport=80).by(CURL)
    assert InOrder(Exec(CURL), wanted, Exit(CURL, signal="SIGKILL")) in run.by_name.timeline
    assert Exactly(1, wanted) in run.by_name.timeline


def test_the_internet_by_address_is_killed(run: Run) -> None:
    """So is a connection to an address, with no name to resolve."""
    assert run.by_address.killed
    assert Exactly(1, blocked(run, daddr=INTERNET, dport=80).by(CURL)) in run.by_address.timeline


def test_a_connection_that_sends_nothing_is_killed(run: Run) -> None:
    """Connecting is enough, before anything is sent."""
    assert run.silent.killed
    assert Exactly(1, blocked(run, daddr=INTERNET, dport=443)) in run.silent.timeline


def test_just_outside_the_range_is_killed(run: Run) -> None:
    """The first address after the pods' range is outside of it."""
    assert run.outside_by_one.killed
    assert Exactly(1, blocked(run, daddr=run.bound("ranges.outside"), dport=80)) in run.outside_by_one.timeline


def test_a_child_is_killed_and_its_shell_survives(run: Run) -> None:
    """Only the process that connects is killed, not the shell that started it."""
    assert run.child.printed("rc=137\n")
    assert InOrder(blocked(run, dport=80).by(CURL), Exit(CURL, signal="SIGKILL")) in run.child.timeline
    assert Exactly(1, Kprobe("tcp_connect")) in run.child.timeline


def test_services_and_pods_are_free(run: Run) -> None:
    """A service of the cluster answers, and no enforcement is reported."""
    assert run.in_cluster.printed("Ship landed\n")
    assert run.in_cluster.succeeded
    assert Kprobe("tcp_connect") not in run.in_cluster.timeline


def test_localhost_is_free(run: Run) -> None:
    """A connection to localhost is refused by nobody listening, not killed."""
    assert run.localhost.exited(7)
    assert run.localhost.free
    assert Kprobe("tcp_connect") not in run.localhost.timeline


def test_other_namespaces_are_free(run: Run) -> None:
    """The policy is galaxy's: from another namespace the same connection is left alone, whatever becomes of it."""
    assert run.other_namespace.free
    assert Kprobe("tcp_connect") not in run.other_namespace.timeline


def test_every_kill_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    assert run.counts(enforce=run.reported(Kprobe("tcp_connect", action="SIGKILL")))


@limit("UDP")
def test_udp_to_the_internet(run: Run) -> None:
    """A datagram to the internet is no TCP connection."""
    assert run.udp.stopped
