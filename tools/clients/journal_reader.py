#!/usr/bin/env python3
"""Reads a journal file (records one after another, or a portable file) and prints one
JSON object a line.

Written from journal-format/FORMAT.md alone, with the standard library only, so
that the specification is known to be one. Reads the files that are named, or
standard input. Stops at the first record that it does not know or that is
damaged: nothing is ever skipped. Exit code 0: all records were read; 1: damage
or an unknown event, named on stderr; 2: a file cannot be read.
"""

import json
import struct
import sys
import unicodedata
import zlib

MAGIC = b"PSJR"
ENVELOPE_VERSION = 1
HEADER = struct.Struct("<4sBBHQqI")
CHECKSUM = struct.Struct("<I")
FILE_MAGIC = b"PSYNCJNL"
FILE_VERSION = 1
FILE_HEADER = struct.Struct("<8sHI")
FILE_HEADER_BYTES_MAX = 16384
STATE_MAGIC = b"PSJB"
STATE_PIECE = struct.Struct("<4sI")
STATE_PIECE_BYTES_MAX = 1 << 18
STATE_BYTES_MAX = 1 << 30
TRAILER_MAGIC = b"PSJT"
TRAILER = struct.Struct("<4sQQI")
PAYLOAD_BYTES_MAX = 1 << 20
PATH_BYTES_MAX = 4095
NAME_BYTES_MAX = 255
VERSION_BYTES_MAX = 512
TEXT_BYTES_MAX = 4096


class Damage(Exception):
    """The bytes are not what FORMAT.md says."""


class Payload:
    """A cursor over one payload; each method reads one field."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        """Reads so many bytes."""
        if count > len(self.data) - self.at:
            raise Damage(f"payload offset {self.at}: {count} bytes expected, it ends before")
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def finish(self):
        """Checks that every byte was consumed."""
        if self.at != len(self.data):
            raise Damage(f"payload offset {self.at}: {len(self.data) - self.at} bytes left over")

    def u8(self):
        """Reads one plain byte."""
        return self.take(1)[0]

    def varint(self, bits):
        """Reads an unsigned integer of at most `bits` bits."""
        lead = self.u8()
        if lead <= 250:
            return lead
        width = {251: 2, 252: 4, 253: 8}.get(lead)
        if width is None or width * 8 > bits:
            raise Damage(f"payload offset {self.at - 1}: {lead} begins no u{bits}")
        return int.from_bytes(self.take(width), "little")

    def u32(self):
        """Reads a u32."""
        return self.varint(32)

    def u64(self):
        """Reads a u64."""
        return self.varint(64)

    def i64(self):
        """Reads an i64 in zigzag form."""
        folded = self.u64()
        return (folded >> 1) ^ -(folded & 1)

    def flag(self):
        """Reads a truth value."""
        found = self.u8()
        if found > 1:
            raise Damage(f"payload offset {self.at - 1}: {found} where 0 or 1 was expected")
        return found == 1

    def option(self, read):
        """Reads a value that may be missing."""
        return read() if self.flag() else None

    def list(self, read):
        """Reads a counted list."""
        count = self.u64()
        items = []
        # Every item has at least one byte, so a wild count ends at the payload's end.
        for _ in range(count):
            items.append(read())
        return items

    def variant(self, names):
        """Reads an enum without fields."""
        index = self.u32()
        if index >= len(names):
            raise Damage(f"payload offset {self.at}: variant {index}, expected below {len(names)}")
        return names[index]

    def raw_text(self):
        """Reads a text without a bound of its own."""
        return decode_utf8(self.take(self.u64()))

    def text(self):
        """Reads a free text."""
        text = self.raw_text()
        if len(text.encode()) > TEXT_BYTES_MAX:
            raise Damage("a text of more than 4096 bytes")
        return text

    def path(self):
        """Reads a path and checks that it stays inside its root."""
        path = self.raw_text()
        if path == "":
            return path
        if len(path.encode()) > PATH_BYTES_MAX:
            raise Damage("a path of more than 4095 bytes")
        for name in path.split("/"):
            if name in ("", ".", "..") or "\0" in name:
                raise Damage(f"the name {name!r} in a path")
            if len(name.encode()) > NAME_BYTES_MAX:
                raise Damage("a name of more than 255 bytes")
        return path

    def remote_version(self):
        """Reads an entity tag or a revision."""
        version = self.raw_text()
        if version == "" or len(version.encode()) > VERSION_BYTES_MAX:
            raise Damage("a remote version that is empty or has more than 512 bytes")
        if any(unicodedata.category(character) == "Cc" for character in version):
            raise Damage("a remote version with a control character")
        return version

    def hex(self, count):
        """Reads plain bytes."""
        return self.take(count).hex()

    def side(self):
        """Reads which side."""
        return self.variant(SIDE)

    def case(self):
        """Reads a row of the merge table."""
        return self.variant(CASE)

    def digest(self):
        """Reads a content hash."""
        kind = self.variant(DIGEST_KIND)
        return f"{kind}:{self.hex(DIGEST_BYTES[kind])}"

    def identity(self):
        """Reads which object a path leads to."""
        return {"device": self.u64(), "object": self.u64(), "born_ns": self.i64()}

    def fingerprint(self):
        """Reads what tells one version of a file from another."""
        return {
            "kind": self.variant(KIND),
            "size": self.u64(),
            "mtime_ns": self.i64(),
            "identity": self.option(self.identity),
            "version": self.option(self.remote_version),
        }

    def entry(self):
        """Reads what a path holds."""
        return {"fingerprint": self.fingerprint(), "digest": self.option(self.digest)}

    def path_move(self):
        """Reads one object that changed its path."""
        return {"from": self.path(), "to": self.path(), "entry": self.entry()}

    def kept(self):
        """Reads a version that was kept under another name."""
        return {"path": self.path(), "entry": self.entry()}

    def policy(self):
        """Reads what the user chose."""
        return {
            "direction": self.variant(DIRECTION),
            "mode": self.variant(MODE),
            "solve": self.variant(SOLVE),
            "brakes": {
                "deletions_max": self.u64(),
                "deletions_percent_max": self.u8(),
                "entries_min": self.u64(),
            },
        }

    def action(self):
        """Reads what an operation does."""
        kind = self.variant(ACTION)
        if kind == "transfer":
            fields = {
                "from": self.side(),
                "source": self.path(),
                "expect": self.entry(),
                "target": self.path(),
                "replaces": self.expected(),
                "displaced": self.displaced(),
            }
        elif kind == "make_directory":
            fields = {"side": self.side(), "path": self.path()}
        elif kind == "move":
            fields = {
                "side": self.side(),
                "from": self.path(),
                "to": self.path(),
                "expect": self.fingerprint(),
            }
        else:
            fields = {"side": self.side(), "path": self.path(), "expect": self.fingerprint()}
            if kind == "remove":
                fields["rescue"] = self.flag()
        return {"type": kind, **fields}

    def expected(self):
        """Reads what a write may meet."""
        return self.fingerprint() if self.variant(EXPECTED) == "version" else None

    def displaced(self):
        """Reads what becomes of a replaced version."""
        kind = self.variant(DISPLACED)
        return {kind: self.path()} if kind == "conflict_copy" else kind


def decode_utf8(data):
    """Turns bytes into text."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damage("text that is not UTF-8") from error


def facts_of(payload):
    """Reads what was found out about a remote, at most 64 facts."""
    facts = payload.list(lambda: {"name": payload.text(), "value": payload.text()})
    if len(facts) > 64:
        raise Damage("more than 64 facts")
    return facts


def changes_of(payload):
    """Reads what was undone in the local folder, at most 64 changes."""
    changes = payload.list(
        lambda: {
            "undoes": payload.option(payload.u64),
            "path": payload.path(),
            "from": payload.option(payload.path),
            "now": payload.option(payload.entry),
            "trashed": payload.option(payload.path),
        }
    )
    if len(changes) > 64:
        raise Damage("more than 64 changes")
    return changes


def moves_of(payload):
    """Reads a group of moves, which has at least one."""
    moves = payload.list(payload.path_move)
    if not moves:
        raise Damage("a group of moves without a move")
    return moves


SIDE = ("local", "remote")
KIND = ("file", "directory", "symlink")
DIGEST_KIND = ("blake3", "md5", "sha1")
DIGEST_BYTES = {"blake3": 32, "md5": 16, "sha1": 20}
DIRECTION = ("bi", "up", "down")
MODE = ("safe", "mirror")
ORDER = ("pause", "start", "stop")
SOLVE = ("both", "manual", "local", "remote")
KEEP = ("local", "remote", "both")
ACTION = ("transfer", "make_directory", "move", "remove", "hash")
EXPECTED = ("absent", "version")
DISPLACED = ("discard", "rescue", "conflict_copy")
CASE = tuple("N0 U1 U2 D1 D2 A1 A2 E1 E2 C1 C2 C3 M1 M2 M3 M4 R1 Q1 V1 V2 P1 H1".split())
HALT_REASON = (
    "root_missing",
    "root_replaced",
    "root_emptied",
    "too_many_deletions",
    "everything_changed",
    "rolled_back",
    "history_lost",
)
UNKNOWN_REASON = (
    "excluded",
    "unreadable",
    "unsupported_kind",
    "unsupported_symlink",
    "invalid_name",
    "name_too_long",
    "name_twin",
    "mount_point",
)
FAILURE_CLASS = (
    "retry",
    "precondition",
    "auth",
    "unsupported",
    "no_space",
    "denied",
    "in_doubt",
    "fatal",
)

# (tag, version): the event's name and its fields, in their order.
EVENTS = {
    (1, 1): (
        "root_configured",
        lambda p: {
            "job": p.text(),
            "label": p.text(),
            "rules_version": p.u32(),
            "digest": p.variant(DIGEST_KIND),
            "fold_case": p.flag(),
            "policy": p.policy(),
        },
    ),
    (2, 1): ("policy_changed", lambda p: {"policy": p.policy()}),
    (3, 1): ("root_identified", lambda p: {"side": p.side(), "marker": p.text()}),
    (4, 1): (
        "session_started",
        lambda p: {"release": p.text(), "fold_version": p.u32(), "seed": p.u64()},
    ),
    (5, 1): ("session_stopped", lambda p: {}),
    (6, 1): ("digest_stamped", lambda p: {"digest": p.hex(16), "fold_version": p.u32()}),
    (7, 1): ("history_lost", lambda p: {"expected": p.u64(), "found": p.u64()}),
    (8, 1): (
        "halt_raised",
        lambda p: {
            "reason": p.variant(HALT_REASON),
            "side": p.side(),
            "count": p.u64(),
            "plan": p.hex(16),
        },
    ),
    (9, 1): ("halt_approved", lambda p: {"halt": p.u64(), "by": p.text()}),
    (10, 1): ("halt_cleared", lambda p: {"halt": p.u64()}),
    (11, 1): ("feed_read", lambda p: {"cursor": p.text(), "whole": p.flag()}),
    (12, 1): ("ordered", lambda p: {"order": p.variant(ORDER), "by": p.text()}),
    (13, 1): ("remote_rolled_back", lambda p: {"detail": p.text()}),
    (14, 1): ("remote_probed", lambda p: {"facts": facts_of(p)}),
    (15, 1): ("undone", lambda p: {"changes": changes_of(p), "by": p.text()}),
    (101, 1): (
        "observed",
        lambda p: {"side": p.side(), "path": p.path(), "entry": p.entry()},
    ),
    (102, 1): ("moved", lambda p: {"side": p.side(), "moves": moves_of(p)}),
    (103, 1): ("gone", lambda p: {"side": p.side(), "path": p.path(), "epoch": p.u64()}),
    (104, 1): (
        "unknown",
        lambda p: {"side": p.side(), "path": p.path(), "reason": p.variant(UNKNOWN_REASON)},
    ),
    (105, 1): (
        "hashed",
        lambda p: {
            "side": p.side(),
            "path": p.path(),
            "fingerprint": p.fingerprint(),
            "digest": p.digest(),
        },
    ),
    (201, 1): ("operation_started", lambda p: {"case": p.case(), "action": p.action()}),
    (202, 1): (
        "operation_succeeded",
        lambda p: {
            "operation": p.u64(),
            "source": p.option(p.entry),
            "target": p.option(p.entry),
            "kept": p.list(p.kept),
            "trashed": p.option(p.path),
            "bytes": p.u64(),
        },
    ),
    (203, 1): (
        "operation_failed",
        lambda p: {
            "operation": p.u64(),
            "class": p.variant(FAILURE_CLASS),
            "detail": p.text(),
            "retry_at": p.option(p.i64),
        },
    ),
    (204, 1): ("adopted", lambda p: {"local": p.path(), "remote": p.path(), "case": p.case()}),
    (301, 1): (
        "conflict_raised",
        lambda p: {"local": p.path(), "remote": p.path(), "case": p.case()},
    ),
    (302, 1): (
        "conflict_resolved",
        lambda p: {"conflict": p.u64(), "keep": p.variant(KEEP), "by": p.text()},
    ),
    (303, 1): ("conflict_settled", lambda p: {"conflict": p.u64()}),
}


def read_record(data, at):
    """Reads the record at an offset; returns its JSON object and the next offset."""
    if data[at : at + 4] != MAGIC:
        raise Damage("no magic here, or the end of the input inside it")
    if len(data) - at > 4 and data[at + 4] != ENVELOPE_VERSION:
        raise Damage(f"envelope version {data[at + 4]}, expected {ENVELOPE_VERSION}")
    if len(data) - at < HEADER.size:
        raise Damage("the input ends inside the header")
    _, _, version, tag, seq, time, length = HEADER.unpack_from(data, at)
    if length > PAYLOAD_BYTES_MAX:
        raise Damage(f"a payload of {length} bytes, expected at most {PAYLOAD_BYTES_MAX}")
    end = at + HEADER.size + length
    if len(data) < end + CHECKSUM.size:
        raise Damage("the input ends inside the record")
    (found,) = CHECKSUM.unpack_from(data, end)
    expected = zlib.crc32(data[at:end])
    if found != expected:
        raise Damage(f"checksum {found:08x}, expected {expected:08x}")
    if seq == 0:
        raise Damage("sequence number 0, expected 1 or more")
    if (tag, version) not in EVENTS:
        raise Damage(f"event {seq} is version {version} of tag {tag}, which this reader lacks")
    name, fields = EVENTS[tag, version]
    payload = Payload(data[at + HEADER.size : end])
    record = {"seq": seq, "time": time, "type": name, **fields(payload)}
    payload.finish()
    return record, end + CHECKSUM.size


def read_header(data):
    """Reads a portable file's header; returns the first record's number and its offset."""
    if len(data) >= 10 and int.from_bytes(data[8:10], "little") != FILE_VERSION:
        raise Damage(f"a portable file of another version than {FILE_VERSION}")
    if len(data) < FILE_HEADER.size:
        raise Damage("the input ends inside the header")
    _, _, length = FILE_HEADER.unpack_from(data)
    if length > FILE_HEADER_BYTES_MAX:
        raise Damage(f"a header of {length} bytes, expected at most {FILE_HEADER_BYTES_MAX}")
    end = FILE_HEADER.size + length
    if len(data) < end + CHECKSUM.size:
        raise Damage("the input ends inside the header")
    (found,) = CHECKSUM.unpack_from(data, end)
    if found != zlib.crc32(data[:end]):
        raise Damage("the header's checksum is wrong")
    fields = Payload(data[FILE_HEADER.size : end])
    fields.take(16)
    for _ in ("job", "label", "release"):
        fields.text()
    fields.flag()
    first = fields.u64()
    fields.option(lambda: fields.take(32))
    fields.finish()
    if first == 0:
        raise Damage("the first record is 0, expected 1 or more")
    return first, end + CHECKSUM.size


def pass_state(data, at, first):
    """Checks the pieces of the state before the first record, if there are any; returns the
    offset behind them. What is in them is for the release that wrote them."""
    whole = 0
    while first > 1 and data[at : at + 4] == STATE_MAGIC:
        if len(data) - at < STATE_PIECE.size:
            raise Damage("the input ends inside a piece of the state")
        _, length = STATE_PIECE.unpack_from(data, at)
        whole += length
        if length > STATE_PIECE_BYTES_MAX or whole > STATE_BYTES_MAX:
            raise Damage(f"a piece of {length} bytes, or a state of {whole}")
        end = at + STATE_PIECE.size + length
        if len(data) < end + CHECKSUM.size:
            raise Damage("the input ends inside a piece of the state")
        (found,) = CHECKSUM.unpack_from(data, end)
        if found != zlib.crc32(data[at:end]):
            raise Damage("the checksum of a piece of the state is wrong")
        at = end + CHECKSUM.size
    return at


def check_trailer(data, at, first, following):
    """Checks a portable file's end."""
    if len(data) - at < TRAILER.size:
        raise Damage("the input ends inside the trailer")
    _, count, last, found = TRAILER.unpack_from(data, at)
    if found != zlib.crc32(data[: at + TRAILER.size - CHECKSUM.size]):
        raise Damage("the file's checksum is wrong")
    if (count, last) != (following - first, following - 1):
        raise Damage(f"the trailer tells of {count} records up to {last}")
    if len(data) - at > TRAILER.size:
        raise Damage("bytes follow the trailer")


def print_portable(name, data):
    """Prints the records of a portable file; tells whether all of it was read."""
    at = 0
    try:
        first, at = read_header(data)
        at = pass_state(data, at, first)
        following = first
        while data[at : at + 4] != TRAILER_MAGIC:
            record, end = read_record(data, at)
            if record["seq"] != following:
                raise Damage(f"record {record['seq']}, expected {following}")
            print(json.dumps(record, ensure_ascii=False))
            following, at = following + 1, end
        check_trailer(data, at, first, following)
    except Damage as damage:
        print(f"{name}: offset {at}: {damage}", file=sys.stderr)
        return False
    return True


def print_records(name, data):
    """Prints every record of one file; tells whether all of them were read."""
    if data.startswith(FILE_MAGIC):
        return print_portable(name, data)
    if not data:
        print(f"{name}: offset 0: no record", file=sys.stderr)
        return False
    at = 0
    while at < len(data):
        try:
            record, at = read_record(data, at)
        except Damage as damage:
            print(f"{name}: record at offset {at}: {damage}", file=sys.stderr)
            return False
        print(json.dumps(record, ensure_ascii=False))
    return True


def main(names):
    """Reads the named files, or standard input."""
    sys.stdout.reconfigure(encoding="utf-8", errors="strict", newline="\n")
    if not names:
        return 0 if print_records("stdin", sys.stdin.buffer.read()) else 1
    whole = True
    for name in names:
        try:
            with open(name, "rb") as file:
                data = file.read()
        except OSError as error:
            print(error, file=sys.stderr)
            return 2
        whole = print_records(name, data) and whole
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
