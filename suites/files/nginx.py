"""What the suites about nginx's index page share: the page, the acts upon it, and the event of a kill."""

from dirty_equals import IsStr

from fixtures import Acts, Kprobe, command, look, prepare, shell

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
