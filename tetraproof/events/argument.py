"""An argument of a hooked call: what it says as one plain value, what it means, and why it may not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tetraproof.events import api
from tetraproof.events.event import Argument

#: Every form that an argument may have, by the name of its field.
FORMS = tuple(name for name in Argument.__struct_fields__ if name != "label")
_INTEGERS = ("int_arg", "uint_arg", "long_arg", "size_arg")


def scalar(argument: Argument) -> Any:
    """What an argument says, as one plain value: a number, a text, the path of a file; else its message."""
    form = form_of(argument)
    value = getattr(argument, form) if form else None
    if isinstance(value, api.KprobeFile | api.KprobePath | api.KprobeLinuxBinprm | api.KprobeSockaddrUn):
        return value.path
    if isinstance(value, api.KprobeCapability | api.KprobeNetDev | api.KernelModule):
        return value.name
    if isinstance(value, api.SyscallId):
        return value.id
    if isinstance(value, api.KprobeTruncatedBytes):
        return value.bytes_arg
    return value


def form_of(argument: Argument) -> str:
    """The name of the field that an argument sets; nothing where it sets none that is known here."""
    return next((form for form in FORMS if getattr(argument, form) is not None), "")


def unread(arguments: Sequence[Argument | None]) -> str:
    """Why one of them may say something else than it seems to, in a clause; nothing where all were read."""
    for at, argument in enumerate(arguments):
        if argument is None:
            continue
        if argument.error_arg is not None:
            return f"the agent could not read its argument {at}: {argument.error_arg.Message or 'no reason given'}"
        if not form_of(argument):
            return f"its argument {at} is of a form that is not known here"
    return ""


def unresolved(arguments: Sequence[Argument]) -> str:
    """Why the path of one of them may not be the whole path, in a clause."""
    flags = [
        value.flags for one in arguments if (value := one.file_arg or one.path_arg or one.linux_binprm_arg) is not None
    ]
    return "the agent could not resolve the whole path" if any("unresolved" in one for one in flags) else ""


def _files(argument: Argument) -> Iterator[Any]:
    for value in (argument.file_arg, argument.path_arg, argument.linux_binprm_arg, argument.sockaddrun_arg):
        if value is not None:
            yield value.path
    if argument.string_arg is not None:
        yield argument.string_arg


def _integers(argument: Argument) -> Iterator[Any]:
    yield from (value for form in _INTEGERS if (value := getattr(argument, form)) is not None)


def _of_packets(name: str, of_address: str = "") -> Callable[[Argument], Iterator[Any]]:
    def read(argument: Argument) -> Iterator[Any]:
        for packet in (argument.sock_arg, argument.skb_arg):
            if packet is not None:
                yield getattr(packet, name)
        if of_address and argument.sockaddr_arg is not None:
            yield getattr(argument.sockaddr_arg, of_address)

    return read


def sockets(arguments: Sequence[Argument]) -> Iterator[api.KprobeSock]:
    """The sockets among them, each with both its ends."""
    yield from (one.sock_arg for one in arguments if one.sock_arg is not None)


def _states(argument: Argument) -> Iterator[Any]:
    if argument.sock_arg is not None:
        yield argument.sock_arg.state


#: What arguments mean, by the word for it: every value of one that has this meaning.
MEANINGS: Mapping[str, Callable[[Argument], Iterator[Any]]] = {
    "file": _files,
    "bytes": _integers,
    "mask": _integers,
    "saddr": _of_packets("saddr"),
    "sport": _of_packets("sport"),
    "daddr": _of_packets("daddr", "addr"),
    "dport": _of_packets("dport", "port"),
    "family": _of_packets("family", "family"),
    "protocol": _of_packets("protocol"),
    "state": _states,
}
