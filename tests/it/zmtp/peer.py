"""A peer of libzmq for the tests beside this file: one line of output a thing heard.

Usage: peer.py MODE PORT ARGS...   (run by peers.rs, with pyzmq installed)
"""

import sys

import zmq
from zmq.utils.monitor import recv_monitor_message


def say(*words):
    print(*words, flush=True)


def socket_for(context, kind, port, **options):
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, 60_000)
    for name, value in options.items():
        socket.setsockopt(getattr(zmq, name), value)
    socket.connect(f"tcp://127.0.0.1:{port}")
    return socket


def shown(parts):
    if len(parts) == 3:
        topic, seq, body = parts
        return f"{topic.decode()} {int.from_bytes(seq, 'big')} {len(body)}"
    return " ".join(part.decode() for part in parts)


def subscribe(context, port, count, *prefixes):
    """Prints messages until it has so many."""
    socket = socket_for(context, zmq.SUB, port, RECONNECT_IVL=10)
    for prefix in prefixes:
        socket.subscribe(prefix)
    for _ in range(int(count)):
        say(shown(socket.recv_multipart()))


def change(context, port):
    """Subscribes and unsubscribes as told on stdin; prints all messages before `end`."""
    socket = socket_for(context, zmq.XSUB, port)
    for line in sys.stdin:
        word, prefix = line.split()
        socket.send({"add": b"\x01", "remove": b"\x00"}[word] + prefix.encode())
        if word == "add" and prefix == "end":
            break
    while True:
        parts = socket.recv_multipart()
        if parts[0] == b"end":
            return
        say(shown(parts))


def request(context, port, *bodies):
    """Asks one after the other."""
    socket = socket_for(context, zmq.REQ, port)
    for body in bodies:
        socket.send_string(body)
        say(socket.recv_string())


def deal(context, port, delimiter, *bodies):
    """Asks all at once, with or without the empty part of a REQ."""
    envelope = [b""] if delimiter == "with" else []
    socket = socket_for(context, zmq.DEALER, port, IDENTITY=b"same")
    for body in bodies:
        socket.send_multipart([*envelope, body.encode()])
    for _ in bodies:
        *head, body = socket.recv_multipart()
        assert head == envelope, head
        say(body.decode())


def exceed(context, port):
    """Sends what is beyond the bounds; prints each answer, and the next request's."""
    large = b"{" * ((1 << 20) + 1)
    half = b"{" * (600 << 10)
    huge = b"{" * (100 << 20)
    asking = socket_for(context, zmq.REQ, port)
    for parts in ([large], [huge], [half, half], [b"a"] * 17, [b"a"] * 10_000):
        asking.send_multipart(parts)
        say(shown(asking.recv_multipart()))
        asking.send(b"next")
        say(shown(asking.recv_multipart()))
    dealing = socket_for(context, zmq.DEALER, port)

    def hear():
        say(" ".join(part.decode() for part in dealing.recv_multipart()))

    for parts in ([large], [b"id", b"", large], [b"id", b"", *[b"a"] * 17], [b"id"] * 17):
        dealing.send_multipart(parts)
        dealing.send_multipart([b"", b"next"])
        hear()
        hear()


def heartbeat(context, port, kind):
    """Counts disconnections while many heartbeats pass that must be answered."""
    socket = context.socket({"sub": zmq.SUB, "req": zmq.REQ}[kind])
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 10)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 400)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 400)
    socket.connect(f"tcp://127.0.0.1:{port}")
    first = recv_monitor_message(monitor)["event"]
    say("connected" if first == zmq.EVENT_HANDSHAKE_SUCCEEDED else f"event {first}")
    lost = 0
    while monitor.poll(1200):
        recv_monitor_message(monitor)
        lost += 1
    say("lost", lost)


def publish(context, port, count):
    """Publishes to whoever subscribes first; the port is ours to choose."""
    socket = context.socket(zmq.XPUB)
    say(socket.bind_to_random_port("tcp://127.0.0.1"))
    topic = socket.recv()[1:]
    for seq in range(1, int(count) + 1):
        socket.send_multipart([topic, seq.to_bytes(8, "big"), b"x" * seq])
    sys.stdin.read()
    socket.close(0)


def reply(context, port):
    """Answers requests with themselves, doubled."""
    socket = context.socket(zmq.REP)
    say(socket.bind_to_random_port("tcp://127.0.0.1"))
    while True:
        socket.send(socket.recv() * 2)


MODES = {
    "subscribe": subscribe,
    "change": change,
    "request": request,
    "deal": deal,
    "exceed": exceed,
    "heartbeat": heartbeat,
    "publish": publish,
    "reply": reply,
}

if __name__ == "__main__":
    MODES[sys.argv[1]](zmq.Context(), *sys.argv[2:])
