"""Dialects: which version of tetra writes how, and what is said where that is a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from tetraproof.tetra.dialect import dialect_of, made_by, told_as

RECORDINGS = Path(__file__).parents[2] / "recordings"


@pytest.mark.parametrize(
    ("version", "quotes", "truncated_files", "usdt"),
    [
        # the encoder of each tag and branch, as it lies in Tetragon's repository
        ("1.3.0", False, False, False),
        ("1.4.1", False, False, False),
        ("v1.4.9", False, False, False),
        ("1.5.0", False, False, False),
        ("1.5.1", True, False, False),
        ("1.6.0-pre.0", False, False, False),
        ("1.6.0-rc.1", False, False, True),
        ("1.6.0", False, False, True),
        ("1.6.1", False, False, True),
        ("1.6.2", True, False, True),
        ("1.7.0-pre.0", False, False, True),
        ("1.7.0", False, True, True),
        ("v1.7.0", False, True, True),
        ("1.7", False, True, True),
        ("v1.7.0-41-gff580d1b4", True, True, True),
        ("1.7.1", True, True, True),
        ("1.8.0-pre.0", False, True, True),
        ("v1.8.0-pre.0-300-g4fbfe2d74", True, True, True),
        ("1.8.0-dev", True, True, True),
        ("1.8.0", True, True, True),
        ("2.0.0", True, True, True),
        ("", True, True, True),
        ("main", True, True, True),
        ("4fbfe2d", True, True, True),
    ],
)
def test_what_a_version_has(version: str, quotes: bool, truncated_files: bool, usdt: bool) -> None:
    """Quoting, the form of security_file_truncate, and USDT events came with different versions and branches."""
    dialect = dialect_of(version)
    assert dialect.quote("a b") == ('"a b"' if quotes else "a b")
    assert ("security_file_truncate" in dialect.forms) is truncated_files
    assert ("security_bpf_map_create" in dialect.forms) is truncated_files
    assert dialect.knows_usdt is usdt


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("1.7.0", "Told as Tetragon 1.7.0 tells it."),
        ("v1.7.1", "Told as Tetragon v1.7.1 tells it."),
        ("1.3.0-pre.0", "Told as Tetragon 1.3.0-pre.0 tells it."),
        ("1.8.0-pre.1", "Told as Tetragon 1.8.0-pre.1 tells it."),
        ("1.8.0", "after 1.7.0 and 1.8.0-pre.0) tells it; the stream is of 1.8.0."),
        ("", "known here (main of August 2026, after 1.7.0 and 1.8.0-pre.0) tells it: the stream does not say which"),
        ("nightly\x1b", "tells it: “nightly\\e” is no version of Tetragon."),
        ("1.1.2", "Told as Tetragon 1.3, the oldest that is known here, tells it; the stream is of 1.1.2."),
        ("1.9.0", "after 1.7.0 and 1.8.0-pre.0) tells it; the stream is of 1.9.0."),
    ],
)
def test_it_is_said_how_a_stream_is_read(version: str, sentence: str) -> None:
    """One sentence, and the reason where the version is not known here."""
    told = told_as(version)
    assert sentence in told
    assert told.startswith("Told as ")
    assert told.endswith(".")
    assert told.isprintable()


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("k8s-1.36.2_tetragon-1.4.1_debian-6.12.117", "1.4.1"),
        ("k8s-1.36.2_tetragon-1.7.0_debian-6.12.117", "1.7.0"),
    ],
)
def test_a_recording_says_which_tetra_made_its_streams(name: str, version: str) -> None:
    """Whichever of its streams it is."""
    streams = sorted((RECORDINGS / name).glob("scenarios/*/*.jsonl"))
    assert streams
    assert {made_by(stream) for stream in streams} == {version}


@pytest.mark.parametrize(
    ("index", "version"),
    [
        ('{"cell": {"tetragon": "1.5.0", "cli": "1.6.0"}}', "1.6.0"),
        ('{"cell": {"tetragon": "1.5.0"}}', "1.5.0"),
        ('{"cell": {"tetragon": 7}}', ""),
        ('{"cell": null}', ""),
        ("[]", ""),
        ("{", ""),
        (None, ""),
    ],
)
def test_a_stream_elsewhere_says_no_version(tmp_path: Path, index: str | None, version: str) -> None:
    """No recording, or one whose index cannot be read, says nothing."""
    if index is not None:
        (tmp_path / "recording.json").write_text(index, encoding="utf-8")
    assert made_by(tmp_path / "scenarios" / "x" / "events.jsonl") == version
