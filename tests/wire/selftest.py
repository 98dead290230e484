#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the replay tool see what it is there to see? No server: the recorded answers themselves are
given back, once as they are (nothing may differ), then with one thing wrong (it must be said).
"""

import collections
import contextlib
import io
import json
import re
import sys
import types
from pathlib import Path

import replay
from wirelib import forge, recording
from wirelib.vault import Answer

BASE = "https://127.0.0.1:8443"
OPTIONS = types.SimpleNamespace(verbose=0)
CHECKS = collections.Counter()


class NoExceptions:
    def skip(self, exchange):
        return "not served" if exchange.to_login or exchange.path.startswith("/storage") else None

    def filter(self, _exchange, differences):
        return [d for d in differences if d.kind != "header"], []


class Echo(replay.Replay):
    """A replay whose server answers what was recorded, passed through `spoil`."""

    def __init__(self, scenario, spoil):
        vault = types.SimpleNamespace(url=BASE, forget=lambda _: None, walk=lambda _: None)
        super().__init__(scenario, vault, NoExceptions(), OPTIONS)
        self.spoil = spoil

    def run(self):
        self.lines = io.StringIO()
        with contextlib.redirect_stdout(self.lines):
            for exchange in self.scenario.exchanges:
                self.started = 0
                self._one(exchange)
        return self.lines.getvalue()

    def _send(self, exchange):
        body = None
        if exchange.body is not None:
            body = self.spoil(json.loads(self.mapping.at_home(json.dumps(exchange.body))))
        self._body(exchange)
        raw = b"" if body is None else json.dumps(body).encode()
        activity = re.search(r"\(Activity ID: ([^)]*)\)", raw.decode())
        head = {"x-ms-request-id": activity.group(1)} if activity else {}
        return Answer(exchange.status, head, raw), exchange.request["body"]


def check(name, good, why=""):
    CHECKS["failed"] += not good
    print(f"PASS selftest {name}" if good else f"FAIL selftest {name}: {why}")


def put(*path_and_value):
    """Spoil: set (or with None as value remove) a member where it occurs."""
    *path, value = path_and_value

    def spoil(body):
        node = body
        for name in path[:-1]:
            node = node.get(name) if isinstance(node, dict) else None
        if isinstance(node, dict) and path[-1] in node:
            if value is None:
                del node[path[-1]]
            else:
                node[path[-1]] = value
        return body
    return spoil


def shorten(member):
    def spoil(body):
        if isinstance(body, dict) and isinstance(body.get(member), str) and "kid" in body:
            body[member] = body[member][:-8]
        return body
    return spoil


SPOILS = [
    ("a missing member", "keys/*", put("attributes", "recoveryLevel", None),
     "missing attributes.recoveryLevel"),
    ("an extra member", "secrets/*", lambda b: {**b, "etag": "x"} if "attributes" in b else b,
     "extra etag"),
    ("a string for an integer", "secrets/*", put("attributes", "created", "1"),
     "type attributes.created"),
    ("a wrong key type", "keys/*", put("key", "kty", "OKP"), "value key.kty"),
    ("operations in another order", "keys/*", put("key", "key_ops", ["verify", "sign"]),
     "value key.key_ops"),
    ("another host in an identifier", "keys/*", put("key", "kid", "https://elsewhere/keys/a/b"),
     "key.kid"),
    ("padding in base64url", "keys/*", put("key", "e", "AQAB=="), "form key.e"),
    ("a short signature", "keys/*", shorten("value"), "value"),
    ("a time of another year", "secrets/*", put("attributes", "updated", -5000),
     "value attributes.updated"),
    ("a level that does not exist", "secrets/*", put("attributes", "recoveryLevel", "Gone"),
     "no such level"),
    ("days that do not fit", "secrets/*", put("scheduledPurgeDate", 1), "value scheduledPurgeDate"),
    ("another secret", "secrets/*", put("value", "wrong"), "value"),
    ("another error code", "errors/*", put("error", "code", "Oops"), "value error.code"),
    ("another message", "errors/*", put("error", "message", "Oops"), "value error.message"),
    ("a lost tag", "*", put("tags", {"a": "b"}), "tags"),
    ("a list without its next link", "keys/*", put("nextLink", None), "missing nextLink"),
    ("a certificate that is no DER", "certificates/*", put("cer", "AAAA"), "form cer"),
    ("another subject", "certificates/*", put("policy", "x509_props", "subject", "CN=x"),
     "value policy.x509_props.subject"),
]


def forged():
    """The padding that clients put on, undone with a key small enough to be written here."""
    p, q = (1 << 521) - 1, (1 << 607) - 1
    n, e = p * q, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    size = (n.bit_length() + 7) // 8
    key = {"n": forge.b64url(n.to_bytes(size, "big")), "e": "AQAB"}
    for algorithm in ("RSA1_5", "RSA-OAEP", "RSA-OAEP-256"):
        cipher = forge.unb64url(forge.rsa_encrypt(algorithm, key, b"message"))
        block = pow(int.from_bytes(cipher, "big"), d, n).to_bytes(size, "big")
        if algorithm == "RSA1_5":
            good = block[:2] == b"\0\2" and block[2:].split(b"\0", 1)[1] == b"message"
        else:
            name = "sha1" if algorithm == "RSA-OAEP" else "sha256"
            length = 20 if name == "sha1" else 32
            seed = forge.xor(block[1:1 + length], forge.mgf1(name, block[1 + length:], length))
            data = forge.xor(block[1 + length:], forge.mgf1(name, seed, size - length - 1))
            good = block[0] == 0 and data[length:].lstrip(b"\0") == b"\1message"
        check(f"{algorithm} made anew can be decrypted", good)


def main():
    forged()
    root = Path(sys.argv[1] if len(sys.argv) > 1 else replay.HERE.parents[2] / "shared/recordings")
    if not root.is_dir():
        print(f"SKIP selftest: no recordings in {root}")
        return CHECKS["failed"]
    wrong = []
    for scenario in recording.load(root):
        echo = Echo(scenario, lambda body: body)
        text = echo.run()
        if echo.failures:
            wrong.append(text)
    check("recorded answers are equal to themselves", not wrong,
          f"{len(wrong)} scenarios\n" + "".join(wrong)[:20000])
    for name, where, spoil, expected in SPOILS:
        seen = any(expected in Echo(s, spoil).run() for s in recording.load(root, where))
        check(f"{name} is seen", seen, f"nothing says {expected!r}")
    return 1 if CHECKS["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
