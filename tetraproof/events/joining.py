"""What was written over several lines, put together: JSON that was printed for people, lines that a runtime cut.

Nothing is put together that was not written so: a value begins with a line that is only its opening bracket (as every
printer writes it), a cut line says of itself that it goes on. A line of a stream that was merely cut off is never
joined with the next one, and what is collected is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tetraproof.events.event import Event, Malformed, parse
from tetraproof.events.wrapping import Part, Told, part_of, unwrapped

#: By a line that opens a value: what of it is an array's bracket, what is of the first object, and how deep it leads.
_OPENERS = {b"{": (b"", b"{\n", 1), b"[": (b"[\n", b"", 1), b"[{": (b"[", b"{\n", 2)}
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
#: What is left of a line of JSON when its texts are gone.
_BARE = re.compile(rb"[\s{}\[\]:,0-9eE+.-]*(?:(?:true|false|null)[\s{}\[\]:,0-9eE+.-]*)*")
#: So many streams of cut lines are put together side by side.
_MOST_STREAMS = 16


class Assembly:
    """Lines that are no events, on their way to become some. `pending` where lines are held that wait for others."""

    def __init__(self, bound: int) -> None:
        """Hold at most `bound` bytes."""
        self.pending = False
        self._bound = bound
        self._block = bytearray()
        self._lines = 0
        self._depth = 0
        self._in_array = False
        # an array's opening, until something of the array was told
        self._bracket = b""
        self._parts: dict[bytes, tuple[bytearray, int]] = {}

    def take(self, line: bytes, told: Told) -> Iterator[Told]:
        """What is sure after one more line, which was read as `told`."""
        if self.pending:
            # an event on a line of its own ends what was begun, unless it is an element of the array
            element = self._in_array and self._depth == 1 and not self._block
            if (element or not isinstance(told, Event)) and self._joins(line):
                yield from self._completed()
                return
            yield from self._given_up("JSON over several lines that does not end")
        if isinstance(told, Event):
            yield told
        elif told.line in _OPENERS:
            self._bracket, opened, self._depth = _OPENERS[told.line]
            self._in_array = bool(self._bracket)
            self._block += opened
            self._lines, self.pending = 1, True
        elif (part := part_of(told.line)) is not None and (not part.whole or part.key in self._parts):
            yield from self._part(part)
        else:
            yield from unwrapped(told)

    def end(self) -> Iterator[Told]:
        """What is left when nothing more comes."""
        if self.pending:
            yield from self._given_up("JSON over several lines that does not end")
        for key in list(self._parts):
            yield self._dropped(key)

    def _joins(self, line: bytes) -> bool:
        # a printer indents what is in an object; a line of a stream that was cut behind its first bracket is none
        if not self._in_array and line[:1] not in b" \t}":
            return False
        bare = _STRING.sub(b"", line)
        if not _BARE.fullmatch(bare):
            return False
        self._depth += bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
        self._block += line + b"\n"
        self._lines += 1
        return True

    def _completed(self) -> Iterator[Told]:
        if len(self._block) > self._bound:
            yield from self._given_up(f"JSON over several lines of more than {self._bound} bytes")
        elif self._depth <= 0:
            content = bytes(self._block).strip()
            in_array = self._in_array
            lines = self._reset()
            if self._bracket and content.strip(b", \t\r\n") == b"]":
                yield Malformed(self._bracket + content, "JSON over several lines that is no event", lines=lines)
                return
            if in_array:
                content = content.removesuffix(b"]").strip(b", \t\r\n")
            if content or not in_array:
                yield from self._element(content, lines, in_array=in_array)
        elif self._in_array and self._depth == 1:
            content, lines = bytes(self._block).strip(b", \t\r\n"), self._lines
            self._block.clear()
            self._lines = 0
            if content:
                yield from self._element(content, lines, in_array=True)

    def _element(self, content: bytes, lines: int, *, in_array: bool) -> Iterator[Told]:
        """A value that came to its end. Where it is nothing, the bracket before it was nothing either."""
        for told in _whole(content, lines, in_array=in_array):
            if self._bracket and isinstance(told, Malformed):
                yield Malformed(self._bracket.strip(), told.reason)
                self._reset()
            self._bracket = b""
            yield told

    def _given_up(self, reason: str) -> Iterator[Told]:
        # an array of which something was told is not whole either
        held = (self._bracket or b"[" * self._in_array) + self._block
        line = bytes(held if len(held) <= self._bound else held[:200]).strip()
        lines = self._reset()
        if line:
            yield Malformed(line, reason, lines=max(1, lines))

    def _reset(self) -> int:
        lines = self._lines
        self._block.clear()
        self._lines, self._depth, self._in_array, self.pending = 0, 0, False, False
        return lines

    def _part(self, part: Part) -> Iterator[Told]:
        collected, count = self._parts.pop(part.key, (bytearray(), 0))
        collected += part.content
        if part.whole:
            whole = parse(bytes(collected))
            yield from unwrapped(whole) if isinstance(whole, Malformed) else (whole,)
            return
        self._parts[part.key] = (collected, count + 1)
        oldest = next(iter(self._parts))
        if len(collected) > self._bound:
            yield self._dropped(part.key)
        elif len(self._parts) > _MOST_STREAMS or sum(len(held) for held, _ in self._parts.values()) > self._bound:
            yield self._dropped(oldest)

    def _dropped(self, key: bytes) -> Malformed:
        collected, count = self._parts.pop(key)
        return Malformed(bytes(collected[:200]), "a line that a container runtime cut, without its end", lines=count)


def _whole(content: bytes, lines: int, *, in_array: bool) -> Iterator[Told]:
    told = parse(content)
    if isinstance(told, Event):
        yield told
        return
    found = unwrapped(told)
    if in_array and found == [told]:  # several elements may stand on one line
        found = unwrapped(Malformed(b"[" + content + b"]", told.reason))
    if len(found) == 1 and isinstance(found[0], Malformed) and lines > 1:
        only = found[0]
        reason = only.reason if only.wrapper else "JSON over several lines that is no event"
        found = [Malformed(content, reason, only.wrapper, only.remedy, lines)]
    yield from found
