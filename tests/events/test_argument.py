"""What an argument says as one plain value, whatever its form."""

from __future__ import annotations

import pytest

from tetraproof.events import api
from tetraproof.events.argument import form_of, scalar


@pytest.mark.parametrize(
    ("argument", "form", "plain"),
    [
        (api.KprobeArgument(int_arg=0), "int_arg", 0),
        (api.KprobeArgument(string_arg=""), "string_arg", ""),
        (api.KprobeArgument(path_arg=api.KprobePath(path="/a")), "path_arg", "/a"),
        (api.KprobeArgument(linux_binprm_arg=api.KprobeLinuxBinprm(path="/a")), "linux_binprm_arg", "/a"),
        (api.KprobeArgument(sockaddrun_arg=api.KprobeSockaddrUn(path="/a")), "sockaddrun_arg", "/a"),
        (api.KprobeArgument(capability_arg=api.KprobeCapability(name="CAP_X")), "capability_arg", "CAP_X"),
        (api.KprobeArgument(net_dev_arg=api.KprobeNetDev(name="eth0")), "net_dev_arg", "eth0"),
        (api.KprobeArgument(module_arg=api.KernelModule(name="evil")), "module_arg", "evil"),
        (api.KprobeArgument(syscall_id=api.SyscallId(id=7)), "syscall_id", 7),
        (
            api.KprobeArgument(truncated_bytes_arg=api.KprobeTruncatedBytes(bytes_arg=b"ab", orig_size=9)),
            "truncated_bytes_arg",
            b"ab",
        ),
        (api.KprobeArgument(sock_arg=api.KprobeSock(dport=7)), "sock_arg", api.KprobeSock(dport=7)),
        (api.KprobeArgument(label="fd"), "", None),
    ],
)
def test_an_argument_says_one_plain_value(argument: api.KprobeArgument, form: str, plain: object) -> None:
    """A file its path, a capability its name; what has no plain value is its whole message."""
    assert form_of(argument) == form
    assert scalar(argument) == plain
