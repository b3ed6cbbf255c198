"""What the suites about nginx's index page share: the page, the acts upon it, the event of a kill, what is known."""

from collections.abc import Callable

from dirty_equals import IsStr

from fixtures import Acts, Kprobe, Run, command, finding, look, prepare, shell
from suites.findings import PID_0_EXEMPTS_EVERYTHING, WORKERS_ARE_KILLED

HTML = "/usr/share/nginx/html/"
INDEX = f"{HTML}index.html"
PAGE = "hello-index\n"
#: What an edit that nobody stopped makes of the page, and an edit with an appended line.
EDITED, APPENDED = "bye-index\n", "bye-index\nmore\n"
NGINX = "/usr/sbin/nginx"

#: The page as it was, and nothing of an earlier scenario beside it.
FRESH = prepare(shell(f"rm -f {HTML}*.html; echo hello-index > {INDEX}", pod="nginx"))
SED = command("sed", "-i", "s/hello/bye/", INDEX, pod="nginx")
VI = command("vi", "-es", "-c", "s/hello/bye/", "-c", "wq", INDEX, pod="nginx")
CAT = command("cat", INDEX, pod="nginx")
#: What stands in the page right after somebody was stopped.
LEFT = look(CAT)
HEAD = command("head", "-1", INDEX, pod="nginx")
APPEND = shell(f"echo more >> {INDEX}", pod="nginx")
COPIED_CAT = shell(f"cp /usr/bin/cat /tmp/cat2; /tmp/cat2 {INDEX}", pod="nginx")
SERVED = command("curl", "-sS", "-m", "10", "http://{nginx.ip}/")
IMPOSTOR = shell(
    f"cp /usr/bin/cat /tmp/cat.bak; cp /usr/bin/sed /usr/bin/cat; cat -i s/hello/bye/ {INDEX}; "
    "r=$?; cp /tmp/cat.bak /usr/bin/cat; exit $r",
    pod="nginx",
)

#: The acts with which the corrections are tried.
CORRECTION_ACTS = Acts(
    fresh=FRESH,
    cat=CAT,
    head=HEAD,
    sed=SED,
    left_by_sed=LEFT,
    vi=VI,
    left_by_vi=LEFT,
    append=APPEND,
    left_by_append=LEFT,
    truncated=shell(f": > {HTML}empty.html", pod="nginx"),
    copied_cat=COPIED_CAT,
    impostor=IMPOSTOR,
    renamed=shell(f"echo x > /tmp/y && mv /tmp/y {HTML}moved.html && echo moved", pod="nginx"),
    cat_after=CAT,
    served=SERVED,
    served_again=SERVED,
)

OPENED = Kprobe("fd_install", file=INDEX, action="SIGKILL")
OPENED_BESIDE = Kprobe("fd_install", file=IsStr(regex=f"{HTML}.+"), action="SIGKILL")


# what is known of the guide's forms

KILLED_WORKER = OPENED.by(NGINX)


def unguarded(name: str, reached: Callable[[Run], bool]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Known of the form with followForks: the act reached its end, as the world shows, and no event tells of it."""

    def shows(run: Run) -> bool:
        return reached(run) and Kprobe("fd_install") not in getattr(run, name).timeline

    return finding(PID_0_EXEMPTS_EVERYTHING, shows, of="block-nginx-write-index-follow-forks")


def edited(run: Run) -> bool:
    """The page is what sed makes of it."""
    return run.sed.succeeded and run.cat_after.printed(EDITED)


def head_read(run: Run) -> bool:
    """Head shows the page, edited by then."""
    return run.head.printed(EDITED) and run.head.succeeded


def worker_killed(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Known of the guide's form: the worker that would have answered is killed, and curl is left without an answer."""

    def shows(run: Run) -> bool:
        act = getattr(run, name)
        empty_reply, reset = act.exited(52) and act.said("curl: (52)"), act.exited(56) and act.said("curl: (56)")
        return (empty_reply or reset) and act.free and KILLED_WORKER in act.surroundings

    return finding(WORKERS_ARE_KILLED, shows)
