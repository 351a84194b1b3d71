#!/usr/bin/env python3
"""Keeps a mirror of a job's state by the stream and the commands, and misses nothing.

Usage: mirror.py JOB [--state-dir DIR] [--save FILE] [--log FILE] [--from-start]
                     [--until SEQ] [--dump FILE] [--check]

Written from src/daemon/PROTOCOL.md, with pyzmq. It subscribes, takes the snapshot at
event N, reads from N + 1, joins the stream, and reads again whatever the stream lost: a
gap in the numbers, a tail that `live.head` tells of, a daemon that was away. Another
journal than before means: begin again. Each event is handled once and in order, or the
program stops with an error, so at each moment the mirror is the state after event `seq`.

A line is printed whenever the mirror has caught up: journal, seq, how many events were
handled since the snapshot, and a hash over all of them.

--save FILE   keeps the mirror there, so that a killed program goes on where it was
--log FILE    appends each event, as `pydio-sync events --json` prints it
--from-start  reads the whole journal in place of a snapshot
--until SEQ   ends once event SEQ is handled
--dump FILE   writes what both sides hold there at the end, as JSON
--check       at the end, compares the mirror with a fresh snapshot; exit code 1 if they
              differ
"""

import argparse
import hashlib
import json
import os
import pathlib
import sys
import time
import unicodedata

import zmq

PAGE = 1000
KEPT_MAX = 20_000
ANSWER_MS = 15_000
# A head comes every five seconds while the daemon lives.
SILENCE_S = 12
NOT_OPEN, SNAPSHOT_GONE, NO_JOB = -32002, -32006, -32001


class Away(Exception):
    """The daemon does not answer now; it may come back."""


class Refused(Exception):
    """The daemon says no."""

    def __init__(self, code, message):
        super().__init__(f"{message} ({code})")
        self.code = code


class Gap(Exception):
    """An event does not follow the one before: this is never to be seen."""


def default_state_dir():
    """Where the program keeps its journals when nothing else is said."""
    asked = os.environ.get("PYDIO_SYNC_STATE_DIR")
    if asked:
        return pathlib.Path(asked)
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return pathlib.Path(home, "pydio-sync")


def ports(state_dir):
    """The addresses that the daemon wrote down."""
    try:
        note = json.loads(pathlib.Path(state_dir, "ports.json").read_text())
        return note["publish"], note["commands"]
    except (OSError, ValueError, KeyError) as error:
        raise Away(f"no daemon: {error}") from error


def topic_word(job):
    """A job's id as it stands in topics, where a dot separates."""
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return "".join(chr(b) if b in plain else f"%{b:02x}" for b in job.encode())


class Line:
    """The two sockets to one daemon."""

    def __init__(self, context, state_dir, topics):
        publish, commands = ports(state_dir)
        self.stream = context.socket(zmq.SUB)
        self.request = context.socket(zmq.REQ)
        for socket in (self.stream, self.request):
            socket.setsockopt(zmq.LINGER, 0)
        self.stream.setsockopt(zmq.RECONNECT_IVL, 50)
        self.stream.setsockopt(zmq.RCVHWM, 0)
        for topic in topics:
            self.stream.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self.stream.connect(publish)
        self.request.connect(commands)
        self.next_id = 1

    def close(self):
        """Gives both up; whatever was on its way is read from the journal later."""
        self.stream.close()
        self.request.close()

    def ask(self, method, **params):
        """Asks one question; a daemon that does not answer in time is away."""
        question = {"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params}
        self.next_id += 1
        self.request.send(json.dumps(question).encode())
        if not self.request.poll(ANSWER_MS):
            raise Away(f"no answer to {method}")
        answer = json.loads(self.request.recv())
        if "error" in answer:
            raise Refused(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]


class Node:
    """Something that stands on a side."""

    def __init__(self, name, kind, size):
        self.name, self.kind, self.size = name, kind, size
        self.parent, self.children = None, {}
        self.unknown = False


class Side:
    """What one side holds, by path."""

    def __init__(self):
        self.root = Node("", "directory", 0)
        self.fold_case = False

    def key(self, name):
        """Names that mean the same have one key."""
        name = unicodedata.normalize("NFC", name)
        return unicodedata.normalize("NFC", name.casefold()) if self.fold_case else name

    def find(self, path):
        """The node at a path, or None."""
        node = self.root
        for name in filter(None, path.split("/")):
            node = node.children.get(self.key(name))
            if node is None:
                return None
        return node

    def place(self, path, node):
        """Puts a node at a path, in place of what stands there. Says whether its
        directory is known."""
        directory, _, name = path.rpartition("/")
        parent = self.find(directory)
        above = parent
        while above is not None and above is not node:
            above = above.parent
        if parent is None or above is node:
            return False
        self.take_away(node)
        standing = parent.children.get(self.key(name))
        if standing is not None:
            self.take_away(standing)
        node.name, node.parent = name, parent
        parent.children[self.key(name)] = node
        return True

    def take_away(self, node):
        """Removes a node with all below it."""
        if node.parent is not None and node.parent.children.get(self.key(node.name)) is node:
            del node.parent.children[self.key(node.name)]
        node.parent = None

    def observed(self, path, entry):
        """A path holds this now."""
        kind, size = entry["fingerprint"]["kind"], entry["fingerprint"]["size"]
        node = self.find(path)
        if node is None or node.kind != kind:
            self.place(path, Node("", kind, size))
        elif node is not self.root:
            node.size, node.unknown = size, False

    def moved(self, moves):
        """Objects changed their paths together."""
        found = [self.find(step["from"]) for step in moves]
        order = sorted(range(len(moves)), key=lambda at: moves[at]["to"].count("/"))
        leaving = {id(node) for node in found if node is not None}
        for at in order:
            node, step = found[at], moves[at]
            version = step["entry"]["fingerprint"]
            if node is None or node is self.root or node.kind != version["kind"]:
                self.observed(step["to"], step["entry"])
                continue
            standing = self.find(step["to"])
            if self.place(step["to"], node):
                node.size, node.unknown = version["size"], False
                if standing is not None and standing is not node and id(standing) in leaving:
                    # It leaves in the same group; its own step puts it somewhere.
                    standing.parent = None

    def gone(self, path):
        """A path and all below it is absent."""
        node = self.find(path)
        if node is not None and node is not self.root:
            self.take_away(node)

    def unknown(self, path):
        """Nothing can be said of a path."""
        node = self.find(path)
        if node is None:
            node = Node("", "file", 0)
            if not self.place(path, node):
                return
        node.unknown = True

    def paths(self):
        """Everything that is there, as path -> [kind, size]."""
        found, waiting = {}, [("", self.root)]
        while waiting:
            prefix, node = waiting.pop()
            for child in node.children.values():
                path = prefix + child.name
                if not child.unknown:
                    found[path] = [child.kind, child.size]
                waiting.append((path + "/", child))
        return found


class Mirror:
    """A job's state after event `seq` of `journal`."""

    def __init__(self):
        self.journal, self.seq, self.handled = None, 0, 0
        self.sides = {"local": Side(), "remote": Side()}
        self.open = {}
        self.chain = hashlib.blake2b(digest_size=16).hexdigest()

    def handle(self, event):
        """Takes the next event, and no other."""
        if event["seq"] != self.seq + 1:
            raise Gap(f"event {event['seq']} after {self.seq}")
        self.fold(event)
        self.seq += 1
        self.handled += 1
        text = json.dumps(event, sort_keys=True, ensure_ascii=False)
        link = bytes.fromhex(self.chain) + text.encode()
        self.chain = hashlib.blake2b(link, digest_size=16).hexdigest()

    def fold(self, event):
        """What an event means for what the sides hold."""
        kind, side = event["type"], self.sides.get(event.get("side"))
        if kind == "root_configured":
            for each in self.sides.values():
                each.fold_case = event["fold_case"]
        elif kind == "observed":
            side.observed(event["path"], event["entry"])
        elif kind == "moved":
            side.moved(event["moves"])
        elif kind == "gone":
            side.gone(event["path"])
        elif kind == "unknown":
            side.unknown(event["path"])
        elif kind == "operation_started":
            self.open[event["seq"]] = event["action"]
        elif kind == "operation_failed":
            self.open.pop(event["operation"], None)
        elif kind == "operation_succeeded":
            self.succeeded(self.open.pop(event["operation"], None), event)

    def succeeded(self, action, event):
        """What an operation of the program brought about."""
        if action is None:
            return
        if action["type"] == "transfer":
            side = self.sides["remote" if action["from"] == "local" else "local"]
            if event["source"] and event["target"]:
                side.observed(action["target"], event["target"])
            for kept in event["kept"]:
                side.observed(kept["path"], kept["entry"])
        elif action["type"] == "make_directory" and event["target"]:
            self.sides[action["side"]].observed(action["path"], event["target"])
        elif action["type"] == "move":
            side = self.sides[action["side"]]
            node = side.find(action["from"])
            if node is not None and side.place(action["to"], node):
                node.unknown = False
                if event["target"]:
                    node.size = event["target"]["fingerprint"]["size"]
        elif action["type"] == "remove":
            self.sides[action["side"]].gone(action["path"])

    def take(self, pages):
        """Begins at a snapshot."""
        self.__init__()
        self.journal, self.seq = pages[0]["journal"], pages[0]["seq"]
        for name, side in self.sides.items():
            here = [
                (node[name], node["kind"], name in node["unknown"])
                for page in pages
                for node in page["nodes"]
                if node[name]
            ]
            for facet, kind, is_unknown in sorted(here, key=lambda it: it[0]["path"].count("/")):
                node = Node("", kind, facet["size"] or 0)
                node.unknown = is_unknown
                side.place(facet["path"], node)

    def paths(self):
        """What both sides hold."""
        return {name: side.paths() for name, side in self.sides.items()}

    def saved(self):
        """The mirror as JSON, with what is unknown as well."""

        def nodes(node):
            return [
                [child.name, child.kind, child.size, child.unknown, nodes(child)]
                for child in node.children.values()
            ]

        return {
            "journal": self.journal,
            "seq": self.seq,
            "handled": self.handled,
            "chain": self.chain,
            "open": self.open,
            "fold_case": self.sides["local"].fold_case,
            "sides": {name: nodes(side.root) for name, side in self.sides.items()},
        }

    @classmethod
    def restored(cls, saved):
        """The mirror that was saved."""
        mirror = cls()
        for name in ("journal", "seq", "handled", "chain"):
            setattr(mirror, name, saved[name])
        mirror.open = {int(seq): action for seq, action in saved["open"].items()}

        def fill(side, parent, nodes):
            for name, kind, size, unknown, below in nodes:
                node = Node(name, kind, size)
                node.unknown, node.parent = unknown, parent
                parent.children[side.key(name)] = node
                fill(side, node, below)

        for name, side in mirror.sides.items():
            side.fold_case = saved["fold_case"]
            fill(side, side.root, saved["sides"][name])
        return mirror


def bare(body):
    """An event as `pydio-sync events --json` prints it."""
    body = dict(body)
    del body["v"], body["journal"]
    if body["type"] != "root_configured":
        del body["job"]
    return body


def snapshot(line, job):
    """All pages of one snapshot."""
    while True:
        try:
            pages = [line.ask("subscribe.snapshot", job=job)]
            while pages[-1]["next"] is not None:
                more = {"snapshot": pages[0]["snapshot"], "from": pages[-1]["next"]}
                pages.append(line.ask("subscribe.snapshot", job=job, **more))
            return pages
        except Refused as refused:
            if refused.code != SNAPSHOT_GONE:
                raise


def begun(line, job):
    """A mirror that begins at a snapshot, with the starts of what is in flight."""
    mirror, pages = Mirror(), snapshot(line, job)
    mirror.take(pages)
    for seq in pages[0]["open"]:
        page = line.ask("journal.read", job=job, **{"from": seq, "limit": 1})
        for message in page["messages"]:
            mirror.open[seq] = message["body"]["action"]
    return mirror


class Follower:
    """Keeps a mirror in step with a job, whatever happens to the daemon."""

    def __init__(self, args):
        self.args = args
        self.context = zmq.Context.instance()
        word = topic_word(args.job)
        self.events, self.head = f"journal.{word}", f"live.head.{word}"
        self.mirror, self.log = Mirror(), None
        if args.save and os.path.exists(args.save):
            with open(args.save, encoding="utf-8") as file:
                self.mirror = Mirror.restored(json.load(file))
        if args.log:
            self.open_log()
        self.kept, self.printed = {}, None

    def open_log(self):
        """Opens the log without the lines that the saved mirror does not know of."""
        lines = []
        if os.path.exists(self.args.log):
            with open(self.args.log, encoding="utf-8") as file:
                for text in file:
                    if not text.endswith("\n") or json.loads(text)["seq"] > self.mirror.seq:
                        break
                    lines.append(text)
        # Replaced whole: a program that is killed here must not have lost lines.
        temporary = f"{self.args.log}.new"
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(lines)
        os.replace(temporary, self.args.log)
        self.log = open(self.args.log, "a", encoding="utf-8")

    def is_done(self):
        """Whether the event that was asked for is handled."""
        return self.args.until is not None and self.mirror.seq >= self.args.until

    def run(self):
        """Goes on until the event that was asked for; for ever without one."""
        while not self.is_done():
            line = None
            try:
                line = Line(self.context, self.args.state_dir, [self.events, self.head])
                self.kept = {}
                self.follow(line)
            except (Away, Refused) as trouble:
                if getattr(trouble, "code", NO_JOB) not in (NOT_OPEN, NO_JOB):
                    raise
                if self.printed != str(trouble):
                    self.printed = str(trouble)
                    self.say("away", self.printed)
                time.sleep(0.2)
            finally:
                if line is not None:
                    line.close()

    def follow(self, line):
        """One connection, from catching up to its end."""
        # An answer means that the daemon is there; the subscription is under way.
        if self.mirror.journal is None and not self.args.from_start:
            self.begin(line)
        self.catch_up(line)
        heard = time.monotonic()
        while not self.is_done():
            if not line.stream.poll(1000):
                if time.monotonic() - heard > SILENCE_S:
                    raise Away("silence")
                continue
            heard = time.monotonic()
            self.drain(line)
            if not self.join():
                self.catch_up(line)
            elif not line.stream.poll(0):
                self.caught_up()

    def begin(self, line):
        """Takes a snapshot."""
        self.mirror = begun(line, self.args.job)
        if self.log is not None:
            self.log.seek(0)
            self.log.truncate()

    def drain(self, line):
        """Keeps what has arrived and is not handled yet."""
        while line.stream.poll(0):
            topic, seq, body = line.stream.recv_multipart()
            if topic.decode() == self.head:
                body = json.loads(body)
                self.kept.setdefault(body["head"], None)
                self.notice(body["journal"])
            elif topic.decode() == self.events:
                self.kept[int.from_bytes(seq, "big")] = json.loads(body)
        for seq in [seq for seq in self.kept if seq <= self.mirror.seq]:
            del self.kept[seq]
        if len(self.kept) > KEPT_MAX:
            # They are in the journal.
            self.kept = {max(self.kept): None}

    def notice(self, journal):
        """Another journal: its history began anew."""
        if self.mirror.journal is not None and journal not in (None, self.mirror.journal):
            self.say("anew", journal)
            self.mirror = Mirror()
            if self.log is not None:
                self.log.seek(0)
                self.log.truncate()
            raise Away("another journal")

    def join(self):
        """Handles what was kept as far as it follows. Says whether nothing is missing."""
        while self.kept:
            body = self.kept.get(self.mirror.seq + 1)
            if body is None:
                return False
            del self.kept[self.mirror.seq + 1]
            self.take(body)
            for seq in [seq for seq in self.kept if seq <= self.mirror.seq]:
                del self.kept[seq]
        return True

    def catch_up(self, line):
        """Reads to the journal's end."""
        while not self.is_done():
            start = self.mirror.seq + 1
            page = line.ask(
                "journal.read", job=self.args.job, **{"from": start, "limit": PAGE}
            )
            self.notice(page["journal"])
            self.mirror.journal = page["journal"]
            for message in page["messages"]:
                self.take(message["body"])
            self.drain(line)
            if page["next"] > page["head"]:
                self.kept = {seq: body for seq, body in self.kept.items() if body is not None}
                break
        self.caught_up()

    def take(self, body):
        """Handles one event, and logs it."""
        self.notice(body["journal"])
        event = bare(body)
        self.mirror.handle(event)
        if self.log is not None:
            self.log.write(json.dumps(event, ensure_ascii=False) + "\n")

    def caught_up(self):
        """Saves and tells."""
        if self.log is not None:
            self.log.flush()
        if self.args.save:
            temporary = f"{self.args.save}.new"
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(self.mirror.saved(), file)
            os.replace(temporary, self.args.save)
        mirror = self.mirror
        if self.printed != (mirror.journal, mirror.seq):
            self.printed = (mirror.journal, mirror.seq)
            self.say("at", mirror.journal, mirror.seq, mirror.handled, mirror.chain)

    def say(self, *words):
        """One line on stdout."""
        print(*words, flush=True)

    def check(self):
        """Compares the mirror with another one that begins at a fresh snapshot."""
        line = Line(self.context, self.args.state_dir, [])
        try:
            mirrors = [self.mirror, begun(line, self.args.job)]
            last = max(mirror.seq for mirror in mirrors)
            for mirror in mirrors:
                while mirror.seq < last:
                    start = {"from": mirror.seq + 1, "limit": min(PAGE, last - mirror.seq)}
                    page = line.ask("journal.read", job=self.args.job, **start)
                    for message in page["messages"]:
                        mirror.handle(bare(message["body"]))
        finally:
            line.close()
        mine, theirs = (mirror.paths() for mirror in mirrors)
        for side in ("local", "remote"):
            for path in sorted(set(mine[side]) | set(theirs[side])):
                here, there = mine[side].get(path), theirs[side].get(path)
                if here != there:
                    print(f"differs: {side} {path}: {here} here, {there} there", file=sys.stderr)
        return mine == theirs


def main():
    """Reads the arguments and follows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("job")
    parser.add_argument("--state-dir", default=default_state_dir())
    parser.add_argument("--save")
    parser.add_argument("--log")
    parser.add_argument("--from-start", action="store_true")
    parser.add_argument("--until", type=int)
    parser.add_argument("--dump")
    parser.add_argument("--check", action="store_true")
    follower = Follower(parser.parse_args())
    try:
        follower.run()
    except KeyboardInterrupt:
        pass
    if follower.args.dump:
        with open(follower.args.dump, "w", encoding="utf-8") as file:
            json.dump(follower.mirror.paths(), file)
    if follower.args.check and not follower.check():
        sys.exit(1)
    follower.caught_up()


if __name__ == "__main__":
    main()
