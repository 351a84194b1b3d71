#!/usr/bin/env python3
"""Tells what happens to synced folders: a line each, or a desktop notification.

Usage: notify.py [--desktop] [--state-dir DIR]

An example for src/daemon/PROTOCOL.md, with pyzmq. It hears what happens from now on and
may miss what happens while it is not there; mirror.py is for whoever must miss nothing.
"""

import argparse
import json
import subprocess

import zmq

from mirror import default_state_dir, ports

WORDS = {"created": "folder created", "conflict": "both sides changed"}


def sentence(body):
    """What happened, in a few words; None for what nobody wants to hear."""
    kind = body["type"]
    if kind == "status":
        if body["state"] in ("halted", "error", "credentials", "offline"):
            return f"{body['job']}: {body['state']}: {body['reason'] or 'see pydio-sync status'}"
        return None
    if kind in ("moved", "renamed"):
        return f"{body['job']}: {kind} {body['from']} to {body['path']}"
    return f"{body['job']}: {WORDS.get(kind, kind)} {body['path']}"


def main():
    """Listens until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--desktop", action="store_true", help="use notify-send")
    parser.add_argument("--state-dir", default=default_state_dir())
    args = parser.parse_args()
    stream = zmq.Context.instance().socket(zmq.SUB)
    for topic in ("notify.", "status."):
        stream.setsockopt(zmq.SUBSCRIBE, topic.encode())
    stream.connect(ports(args.state_dir)[0])
    while True:
        text = sentence(json.loads(stream.recv_multipart()[2]))
        if text and args.desktop:
            subprocess.run(["notify-send", "--app-name=pydio-sync", "pydio-sync", text], check=False)
        elif text:
            print(text, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
