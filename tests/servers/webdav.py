#!/usr/bin/env python3
"""Starts a real WebDAV server for the interop suite, and stops it.

    webdav.py apache|nginx|rclone|wsgidav|lighttpd|sabre [--folder DIR]

One server on a free port of the loopback, with its files, its configuration and its
process ids in a temporary folder, run as the user who calls (a server that gives up
root's rights runs as `www-data`, whose folder it then is). When it answers, one line of
JSON is printed: `{"server": ..., "version": ..., "url": ..., "user": ..., "password":
..., "folder": ...}`. It runs until standard input ends or a signal comes, so it cannot
outlive the test that began it; then everything that it made is removed. No system
service is touched. `webdav.py install` installs what is missing (Debian, as root).
"""

import argparse
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

USER, PASSWORD = "ada", "se cret:ü"
PACKAGES = {
    "/usr/sbin/apache2": "apache2-bin",
    "/usr/sbin/nginx": "nginx",
    "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so": "libnginx-mod-http-dav-ext",
    "/usr/bin/rclone": "rclone",
    "/usr/sbin/lighttpd": "lighttpd",
    "/usr/lib/lighttpd/mod_webdav.so": "lighttpd-mod-webdav",
    "/usr/bin/php": "php-cli",
    "/usr/share/php/Sabre/autoload.php": "php-sabre-dav",
}
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")
PYTHON = pathlib.Path(__file__).resolve().parents[2] / "target/python/bin/python3"
WHEELS = ["wsgidav==4.4.0", "cheroot==11.1.2"]
# How long a server may take until it answers; a slow machine, not a broken one.
START_SECONDS = 60
STOP_SECONDS = 10


def apache(home, files, port):
    """Apache httpd with mod_dav_fs."""
    modules = "/usr/lib/apache2/modules"
    names = ["mpm_event", "authn_core", "authn_file", "authz_core", "authz_user",
             "auth_basic", "mime", "dav", "dav_fs"]
    loads = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in names)
    (home / "users").write_text(f"{USER}:{hashed()}\n")
    give_away(home, files)
    owner = f"User {WORKER}\nGroup {WORKER}\n" if os.geteuid() == 0 else ""
    config = home / "apache.conf"
    config.write_text(f"""
{loads}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
ServerRoot {home}
PidFile {home}/apache.pid
ErrorLog {home}/error.log
DefaultRuntimeDir {home}
Mutex file:{home} default
{owner}TypesConfig /dev/null
DAVLockDB {home}/locks/db
DocumentRoot {files}
KeepAlive On
MaxKeepAliveRequests 0
EnableSendfile Off
AccessFileName .no-such-name
<Directory {files}>
    Dav On
    AuthType Basic
    AuthName "files"
    AuthUserFile {home}/users
    Require valid-user
</Directory>
""")
    return ["/usr/sbin/apache2", "-DFOREGROUND", "-f", str(config)], {}


def nginx(home, files, port):
    """nginx with its dav-ext module."""
    (home / "users").write_text(f"{USER}:{hashed()}\n")
    give_away(home, files)
    owner = f"user {WORKER};" if os.geteuid() == 0 else ""
    temporary = "\n".join(
        f"    {kind}_temp_path {home}/tmp/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = home / "nginx.conf"
    config.write_text(f"""
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
{owner}
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
worker_processes 2;
events {{ worker_connections 256; }}
http {{
    access_log off;
{temporary}
    client_max_body_size 0;
    keepalive_requests 1000000;
    dav_ext_lock_zone zone=locks:1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            root {files};
            auth_basic files;
            auth_basic_user_file {home}/users;
            dav_methods PUT DELETE MKCOL COPY MOVE;
            dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;
            dav_ext_lock zone=locks;
            dav_access user:rw group:r all:r;
        }}
    }}
}}
""")
    return ["/usr/sbin/nginx", "-p", str(home), "-e", f"{home}/error.log", "-c", str(config)], {}


def rclone(home, files, port):
    """rclone serve webdav."""
    secret = {"RCLONE_USER": USER, "RCLONE_PASS": PASSWORD, "RCLONE_CONFIG": f"{home}/none",
              "XDG_CACHE_HOME": str(home)}
    return ["rclone", "serve", "webdav", str(files), "--addr", f"127.0.0.1:{port}",
            "--etag-hash", "", "--dir-cache-time", "0s", "--vfs-cache-mode", "off"], secret


def wsgidav(home, files, port):
    """WsgiDAV behind cheroot."""
    python = str(PYTHON) if PYTHON.exists() else sys.executable
    config = home / "wsgidav.json"
    config.write_text(json.dumps({
        "host": "127.0.0.1",
        "port": port,
        "server": "cheroot",
        "provider_mapping": {"/": str(files)},
        "http_authenticator": {
            "accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
        "lock_storage": True,
        "property_manager": None,
        "verbose": 1,
        "logging": {"enable": False},
    }))
    return [python, "-m", "wsgidav.server.server_cli", "--config", str(config)], {}


def lighttpd(home, files, port):
    """lighttpd with mod_webdav."""
    users = home / "users"
    users.write_text(f"{USER}:{PASSWORD}\n")
    users.chmod(0o644)
    give_away(home, files)
    owner = f'server.username = "{WORKER}"' if os.geteuid() == 0 else ""
    config = home / "lighttpd.conf"
    config.write_text(f"""
server.modules = ("mod_auth", "mod_authn_file", "mod_webdav")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{files}"
server.upload-dirs = ("{home}/tmp")
server.errorlog = "{home}/tmp/error.log"
server.max-keep-alive-requests = 65535
{owner}
webdav.activate = "enable"
webdav.is-readonly = "disable"
auth.backend = "plain"
auth.backend.plain.userfile = "{users}"
auth.require = ("/" => ("method" => "basic", "realm" => "files", "require" => "valid-user"))
""")
    return ["/usr/sbin/lighttpd", "-D", "-f", str(config)], {}


def sabre(home, files, port):
    """sabre/dav, on which Nextcloud and ownCloud are built, in PHP's own server."""
    script = home / "index.php"
    script.write_text(SABRE)
    (home / "locks").mkdir(exist_ok=True)
    more = {"DAV_FILES": str(files), "DAV_LOCKS": f"{home}/locks/db", "DAV_USER": USER,
            "DAV_PASSWORD": PASSWORD, "PHP_CLI_SERVER_WORKERS": "4"}
    return ["/usr/bin/php", "-d", "enable_post_data_reading=0", "-d", "max_execution_time=0",
            "-S", f"127.0.0.1:{port}", "-t", str(home), str(script)], more


SABRE = """<?php
error_reporting(0);
date_default_timezone_set('UTC');
require_once 'Sabre/autoload.php';
class One extends \\Sabre\\DAV\\Auth\\Backend\\AbstractBasic {
    protected function validateUserPass($user, $password) {
        return $user === getenv('DAV_USER') && $password === getenv('DAV_PASSWORD');
    }
}
$server = new \\Sabre\\DAV\\Server(new \\Sabre\\DAV\\FS\\Directory(getenv('DAV_FILES')));
$server->setBaseUri('/');
$locks = new \\Sabre\\DAV\\Locks\\Backend\\File(getenv('DAV_LOCKS'));
$server->addPlugin(new \\Sabre\\DAV\\Locks\\Plugin($locks));
$server->addPlugin(new \\Sabre\\DAV\\Auth\\Plugin(new One(), 'files'));
$server->exec();
"""
SERVERS = {"apache": apache, "nginx": nginx, "rclone": rclone, "wsgidav": wsgidav,
           "lighttpd": lighttpd, "sabre": sabre}
WORKER = "www-data"


def hashed():
    """The password as Apache and nginx keep it: salted SHA-1, as both can read it."""
    import base64
    import hashlib
    return "{SHA}" + base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()


def give_away(home, files):
    """Makes the folders that the server writes to, and gives them to its user."""
    places = [files, home / "locks", home / "tmp"]
    for place in places:
        place.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        worker = pwd.getpwnam(WORKER)
        for place in places:
            for inside in [place, *place.rglob("*")]:
                os.chown(inside, worker.pw_uid, worker.pw_gid)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def version(kind):
    ask = {
        "apache": ["/usr/sbin/apache2", "-v"],
        "nginx": ["/usr/sbin/nginx", "-v"],
        "rclone": ["rclone", "version"],
        "wsgidav": [str(PYTHON) if PYTHON.exists() else sys.executable, "-c",
                    "import wsgidav; print(wsgidav.__version__)"],
        "lighttpd": ["/usr/sbin/lighttpd", "-v"],
        "sabre": ["/usr/bin/php", "-r", "require 'Sabre/autoload.php'; "
                  "echo Sabre\\DAV\\Version::VERSION;"],
    }[kind]
    told = subprocess.run(ask, capture_output=True, text=True)
    lines = (told.stdout + told.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def answers(port, child):
    """Waits until a connection is taken; False if the process ended instead."""
    until = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                # The process that ended meanwhile is not the one that answered.
                return child.poll() is None
        except OSError:
            time.sleep(0.02)
    return False


def start(kind, home, files):
    """Starts the server; another port is tried when somebody was quicker."""
    for _ in range(5):
        port = free_port()
        command, more = SERVERS[kind](home, files, port)
        with open(home / "output.log", "ab") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **more}, start_new_session=True)
        if answers(port, child):
            return port, child
        stop(child)
    for name in ("output.log", "error.log"):
        if (home / name).exists():
            sys.stderr.write((home / name).read_text(errors="replace")[-4000:])
    sys.exit(f"{kind} does not start: {' '.join(command)}")


def stop(child):
    """Ends the server and what it started: it leads a session of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            pass
        try:
            child.wait(STOP_SECONDS)
            if number == signal.SIGKILL:
                return
        except subprocess.TimeoutExpired:
            pass


def serve(kind, folder):
    home = pathlib.Path(tempfile.mkdtemp(prefix=f"pydio-sync-{kind}-"))
    home.chmod(stat.S_IRWXU | stat.S_IXGRP | stat.S_IXOTH | stat.S_IRGRP | stat.S_IROTH)
    files = pathlib.Path(folder) if folder else home / "files"
    child, done = None, threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: done.set())
    try:
        files.mkdir(parents=True, exist_ok=True)
        port, child = start(kind, home, files)
        print(json.dumps({
            "server": kind, "version": version(kind), "url": f"http://127.0.0.1:{port}",
            "user": USER, "password": PASSWORD, "folder": str(files)}), flush=True)

        def until_nobody_listens():
            while sys.stdin.buffer.read(4096):
                pass
            done.set()

        threading.Thread(target=until_nobody_listens, daemon=True).start()
        while not done.wait(0.5):
            if child.poll() is not None:
                sys.exit(f"{kind} ended by itself with {child.returncode}")
    finally:
        if child is not None:
            stop(child)
        shutil.rmtree(home, ignore_errors=True)


def install():
    """Installs what is missing, and keeps the packages from starting services."""
    missing = sorted({name for path, name in PACKAGES.items() if not os.path.exists(path)})
    if missing:
        ours = not POLICY.exists()
        if ours:
            POLICY.write_text("#!/bin/sh\nexit 101\n")
            POLICY.chmod(0o755)
        try:
            env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "update", "-q"], env=env, check=True)
            subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends",
                            *missing], env=env, check=True)
        finally:
            if ours:
                POLICY.unlink()
    python = str(PYTHON) if PYTHON.exists() else sys.executable
    found = subprocess.run([python, "-c", "import cheroot, wsgidav"], capture_output=True)
    if found.returncode:
        subprocess.run([python, "-m", "pip", "install", "-q", *WHEELS], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=[*SERVERS, "install"])
    parser.add_argument("--folder", help="serve this folder in place of a temporary one")
    args = parser.parse_args()
    if args.what == "install":
        install()
    else:
        serve(args.what, args.folder)


if __name__ == "__main__":
    main()
