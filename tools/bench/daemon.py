#!/usr/bin/env python3
"""Measures the daemon as a pyzmq peer sees it, and prints rows for RESULTS.md.

Answers while many transfers run, events a second to one reader that catches up,
what publishing costs a sync, and what ten jobs at rest take. Medians of REPEAT runs;
runs with and without a reader alternate. Usage: daemon.py BINARY [SCRATCH].
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import zmq

REPEAT = 3
FILES = 10_000
JOBS = 10
REST_S = 20


def make_tree(top, files):
    for number in range(files):
        folder = os.path.join(top, f"d{number // 100}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"f{number}"), "wb") as file:
            file.write(os.urandom(4096))


class Daemon:
    """A daemon on jobs of its own, with ports of its own choice."""

    def __init__(self, binary, top, jobs):
        self.state = os.path.join(top, "state")
        config = os.path.join(top, "jobs.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump(jobs, file)
        flags = ["-f", config, "--state-dir", self.state, "-z", "auto", "-q"]
        self.process = subprocess.Popen([binary, *flags])
        ports = os.path.join(self.state, "ports.json")
        while not os.path.exists(ports):
            if self.process.poll() is not None:
                raise SystemExit(f"the daemon ended: {self.process.returncode}")
            time.sleep(0.01)
        with open(ports, encoding="utf-8") as file:
            note = json.load(file)
        self.publishes, self.answers = note["publish"], note["commands"]
        self.socket = zmq.Context.instance().socket(zmq.REQ)
        self.socket.connect(self.address(self.answers))

    @staticmethod
    def address(place):
        return place if "://" in str(place) else f"tcp://127.0.0.1:{place}"

    def ask(self, method, **params):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.socket.send(json.dumps(request).encode())
        return self.socket.recv()

    def result(self, method, **params):
        return json.loads(self.ask(method, **params))["result"]

    def states(self):
        return [job["state"] for job in self.result("job.status")["jobs"]]

    def wait_synced(self):
        while set(self.states()) != {"synced"}:
            time.sleep(0.005)

    def usage(self):
        """Processor time in s, peak memory in MiB."""
        peak = 0
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM"):
                    peak = int(line.split()[1])
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
            ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK"), peak / 1024

    def publishing(self):
        """Processor time in s of the threads that read the journal and send."""
        total = 0
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{thread}/stat", encoding="ascii") as file:
                head, fields = file.read().rsplit(")", 1)
            if int(thread) == self.process.pid or head.endswith("(journal-reader"):
                total += int(fields.split()[11]) + int(fields.split()[12])
        return total / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.socket.close(0)
        self.process.terminate()
        self.process.wait()


class Reader(threading.Thread):
    """Reads everything that is published, and counts."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.count, self.ends = 0, False
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.connect(Daemon.address(daemon.publishes))

    def run(self):
        while not self.ends:
            if self.socket.poll(50):
                self.socket.recv_multipart()
                self.count += 1
        self.socket.close(0)


class Pair:
    """A pair of folders with content on one side."""

    def __init__(self, scratch, files, jobs=1):
        self.top = tempfile.mkdtemp(dir=scratch)
        self.jobs = []
        for number in range(jobs):
            local = os.path.join(self.top, f"local{number}")
            remote = os.path.join(self.top, f"remote{number}")
            os.makedirs(local)
            os.makedirs(remote)
            make_tree(local, files)
            self.jobs.append({"id": f"j{number}", "server": remote, "directory": local})
        os.sync()


def row(what, figure, notes=""):
    print(f"| {what} | {figure} | {notes} |", flush=True)


def first_sync(binary, pair, with_reader):
    began = time.monotonic()
    daemon = Daemon(binary, pair.top, pair.jobs)
    reader = Reader(daemon) if with_reader else None
    if reader:
        reader.start()
    daemon.wait_synced()
    took = time.monotonic() - began
    cpu, peak = daemon.usage()
    sending = daemon.publishing()
    heard = 0
    if reader:
        reader.ends = True
        reader.join()
        heard = reader.count
    daemon.stop()
    return took, cpu, peak, heard, sending


def publishing(binary, pairs):
    without, reading = [], []
    for index in range(0, len(pairs), 2):
        without.append(first_sync(binary, pairs[index], False))
        reading.append(first_sync(binary, pairs[index + 1], True))
    for name, runs in (("nobody subscribes", without), ("one reads everything", reading)):
        took = statistics.median(run[0] for run in runs)
        cpu = statistics.median(run[1] for run in runs)
        heard = statistics.median(run[3] for run in runs)
        peak = statistics.median(run[2] for run in runs)
        sending = statistics.median(run[4] for run in runs)
        row(
            f"first sync of {FILES} files by a daemon, {name}",
            f"{took:.2f} s",
            f"processor {cpu:.2f} s, of which {sending:.2f} s for reading the journal, sending "
            f"and answering; peak {peak:.0f} MiB; {heard:.0f} messages",
        )


def answers(binary, pair):
    daemon = Daemon(binary, pair.top, pair.jobs)
    waits = {"STATUS": [], "job.status": [], "journal.read": []}
    while daemon.states() != ["synced"]:
        for method, times in waits.items():
            began = time.monotonic()
            if method == "STATUS":
                daemon.socket.send(b"STATUS")
                daemon.socket.recv()
            elif method == "journal.read":
                daemon.ask(method, job="j0", **{"from": 1}, limit=256)
            else:
                daemon.ask(method)
            times.append((time.monotonic() - began) * 1000)
    for method, times in waits.items():
        times.sort()
        middle, late = times[len(times) // 2], times[len(times) * 99 // 100]
        row(
            f"answers to `{method}` while {FILES} files are transferred",
            f"p50 {middle:.1f} ms, p99 {late:.1f} ms",
            f"{len(times)} asked, most {times[-1]:.1f} ms; ceiling 100 ms",
        )
    return daemon


def catching_up(daemon):
    rates, decoded = [], []
    for _ in range(REPEAT):
        began, waited, events, at = time.monotonic(), 0, 0, 1
        while True:
            asked = time.monotonic()
            page = daemon.ask("journal.read", job="j0", **{"from": at}, limit=1000)
            waited += time.monotonic() - asked
            page = json.loads(page)["result"]
            events += len(page["messages"])
            at = page["next"]
            if at > page["head"]:
                break
        rates.append(events / waited)
        decoded.append(events / (time.monotonic() - began))
    row(
        "events a second to one reader who catches up (`journal.read`)",
        f"{statistics.median(rates):,.0f}",
        f"{events} events; {statistics.median(decoded):,.0f} with Python's JSON decoding; "
        "floor 100,000",
    )


def rest(binary, pair):
    daemon = Daemon(binary, pair.top, pair.jobs)
    daemon.wait_synced()
    time.sleep(3)
    before = daemon.usage()
    time.sleep(REST_S)
    after = daemon.usage()
    row(
        f"{JOBS} jobs at rest, {REST_S} s",
        f"{after[0] - before[0]:.2f} s processor",
        f"peak {after[1]:.0f} MiB",
    )
    daemon.stop()


def main():
    binary = os.path.abspath(sys.argv[1])
    scratch = tempfile.mkdtemp(dir=sys.argv[2] if len(sys.argv) > 2 else None)
    try:
        pairs = [Pair(scratch, FILES) for _ in range(2 * REPEAT)]
        asked = Pair(scratch, FILES)
        ten = Pair(scratch, 100, JOBS)
        print("| what | figure | notes |\n|---|---|---|")
        daemon = answers(binary, asked)
        catching_up(daemon)
        daemon.stop()
        publishing(binary, pairs)
        rest(binary, ten)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
