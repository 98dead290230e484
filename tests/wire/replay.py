#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Replays recorded traffic of the real service against keyvaultd and says where the answers differ.

usage: replay.py --build DIR [options]     start keyvaultd from a build directory
       replay.py --url URL --ca FILE --client-id ID --client-secret SECRET [--kind KIND]
                                           use a running keyvaultd (its objects of the same
                                           names are deleted and purged!)

One line a scenario (PASS) and one a differing exchange (FAIL); a summary at the end.
"""

import argparse
import collections
import json
import shutil
import sys
import tempfile
import time
import urllib.parse
import uuid
from pathlib import Path

from wirelib import compare, forge, headers, prelude, recording
from wirelib.compare import Difference
from wirelib.exceptions import Exceptions
from wirelib.rewrite import Mapping
from wirelib.vault import Vault, VaultError

HERE = Path(__file__).resolve().parent
PATIENCE = 20       # seconds for what the service does behind the scenes


class Replay:
    """One scenario against one vault."""

    def __init__(self, scenario, vault, exceptions, options):
        self.scenario = scenario
        self.vault = vault
        self.exceptions = exceptions
        self.options = options
        self.mapping = Mapping(vault.url, scenario.hosts)
        self.born = scenario.born()
        self.alive = set()
        self.keys = {}          # kid → public key as this server shows it
        self.broken = {}        # object → first exchange that went wrong
        self.lists = {}         # path of a list → the request for its first page
        self.started = int(time.time())
        self.counts = collections.Counter()
        self.failures = 0

    def run(self):
        self.vault.forget(self.scenario.objects())
        self.started = int(time.time())
        self.alive = prelude.prepare(self.scenario, self.vault)
        for exchange in self.scenario.exchanges:
            self._one(exchange)
        if not self.failures and not self.counts["equal"]:
            print(f"SKIP replay {self.scenario.name}: nothing of it applies (exceptions.json)")
        elif not self.failures:
            print(f"PASS replay {self.scenario.name} ({self.counts['equal']} exchanges)")

    def _one(self, exchange):
        reason = self.exceptions.skip(exchange)
        if reason:
            self._note("excepted", exchange, reason)
            return
        passing = exchange.transient and (exchange.method == "GET" or exchange.status == 409)
        if passing and exchange.operation != "getCertificateOperation":
            self._note("collapsed", exchange, "only said \"not yet\"")
            return
        if "skiptoken=" in exchange.query and self.mapping.link(exchange.url) is None:
            self._note("collapsed", exchange, "this list has no such page here")
            return
        if self._older(exchange):
            self._note("excepted", exchange, "speaks of an object made before the recording began")
            return
        try:
            answer, sent = self._send(exchange)
            if passing and not same_state(exchange, answer):
                self._note("collapsed", exchange, "the operation is not at this any more")
                return
            found = self._judge(exchange, answer, sent)
        except OSError as error:
            answer, found = None, [Difference("status", "connection", repr(error))]
        remain, allowed = self.exceptions.filter(exchange, found)
        for d in allowed:
            self._note(None, exchange, f"allowed: {d}")
        if remain:
            self._fail(exchange, answer, remain)
        else:
            self._note("equal", exchange, "")

    def _older(self, exchange):
        """A success with an object that was neither made in the recording nor could be prepared."""
        target = exchange.target
        if target is None or exchange.to_login or exchange.status >= 300:
            return False
        if exchange.operation in recording.BIRTHS or exchange.operation.startswith("restore"):
            self.alive.add(target)
            return False
        name = target[1].lower()
        return all(name != n.lower() for _, n in self.alive) and "/versions" not in exchange.path

    # -- sending

    def _send(self, exchange):
        if exchange.operation == "token":
            return self._send_token(exchange)
        if exchange.to_login:
            base = self._authority()
            path = exchange.path.split("/", 2)[2]
            return self.vault.send("GET", f"{base}/{path}", {"accept": "application/json"}), None
        head = {"x-ms-client-request-id": str(uuid.uuid4())}
        for name in ("accept", "content-type"):
            if name in exchange.request["headers"]:
                head[name] = exchange.request["headers"][name]
        if exchange.authorized:
            head["authorization"] = self.vault.authorization()
        target = self.mapping.link(exchange.url) or self.mapping.target(exchange)
        body = self._body(exchange)
        if body is not None:
            head.setdefault("content-type", "application/json")
        deadline = time.time() + PATIENCE
        while True:
            answer = self.vault.send(exchange.method, target, head, body)
            if not self._not_yet(exchange, answer) or time.time() > deadline:
                return answer, exchange.request["body"]
            time.sleep(0.1)

    def _not_yet(self, exchange, answer):
        """Does the server still do what the recorded one had done when it was asked?"""
        if exchange.method != "GET" or not isinstance(answer.body, dict):
            return False
        if exchange.target in self.broken:
            return False
        if exchange.operation == "getCertificateOperation" and answer.status == exchange.status:
            wanted = exchange.body.get("status") if isinstance(exchange.body, dict) else None
            return answer.body.get("status") == "inProgress" and wanted != "inProgress"
        before = self.scenario.exchanges[exchange.number - 1] if exchange.number else exchange
        return (before.transient and before.operation == exchange.operation
                and answer.status == before.status != exchange.status)

    def _body(self, exchange):
        body = exchange.request["body"]
        if not isinstance(body, dict):
            return body
        mapped = self.mapping.deep(body)
        if exchange.operation == "importKey":
            # The client's own key, even where an older one of the same numbers was made anew.
            mapped.update({k: v for k, v in body.items() if k == "key"})
        if exchange.status == 200 and exchange.operation in ("decrypt", "unwrapKey"):
            self._encrypt_anew(exchange, body, mapped)
        if exchange.status == 201 and exchange.operation == "mergeCertificate":
            self._certify_anew(exchange, mapped)
        return mapped

    def _encrypt_anew(self, exchange, body, mapped):
        """The client encrypted by itself, with the recorded public key."""
        foreign = body.get("value") not in self.mapping.known
        path = self.mapping.target(exchange).split("?")[0].rstrip("/").rsplit("/", 1)[0].rstrip("/")
        key = next((k for kid, k in reversed(self.keys.items())
                    if (kid + "/").startswith(self.vault.url + path + "/")), None)
        if foreign and key and "n" in key and body.get("alg", "").startswith("RSA"):
            plaintext = forge.unb64url(exchange.body["value"])
            mapped["value"] = forge.rsa_encrypt(body["alg"], key, plaintext)

    def _certify_anew(self, exchange, mapped):
        """The client certified the recorded CSR."""
        recorded = [e.body["csr"] for e in self.scenario.exchanges[:exchange.number]
                    if e.target == exchange.target and isinstance(e.body, dict) and "csr" in e.body]
        if recorded and recorded[-1] in self.mapping.known:
            validity = exchange.body["attributes"]
            leaf = forge.certify(self.mapping.known[recorded[-1]], validity["nbf"], validity["exp"])
            self.mapping.learn(exchange.request["body"]["x5c"][0], leaf)
            mapped["x5c"][0] = leaf

    def _authority(self):
        self.vault.authorization()
        return self.vault.challenge["authorization"]

    def _send_token(self, exchange):
        """The recorded form with this server's client in it."""
        form = urllib.parse.parse_qs(exchange.request["body"])
        form["client_id"] = [self.vault.client_id]
        form["client_secret"] = [self.vault.client_secret]
        base = self._authority()
        for name, suffix in (("scope", "/.default"), ("resource", "")):
            if name in form:
                form[name] = [self.vault.challenge["resource"] + suffix]
        path = exchange.path.split("/", 2)[2]
        body = urllib.parse.urlencode(form, doseq=True)
        head = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        return self.vault.send("POST", f"{base}/{path}", head, body), None

    # -- judging

    def _judge(self, exchange, answer, sent):
        if exchange.operation == "token":
            return judge_token(exchange, answer)
        if exchange.to_login:
            return judge_authority(exchange, answer)
        found = []
        if answer.status != exchange.status:
            found.append(Difference("status", str(answer.status),
                                    f"{exchange.status} expected, got {answer.status} "
                                    + compare.brief(json.dumps(answer.body))))
        else:
            window = (self.started, int(time.time()))
            comparer = compare.Comparer(exchange, self.mapping, sent, window, self.born)
            complete = None
            if is_list(answer.body) and exchange.method == "GET":
                if "skiptoken=" not in exchange.query:
                    self.lists[exchange.path] = self.mapping.target(exchange)
                complete = self.vault.walk(self.lists.get(exchange.path))
            found += comparer.bodies(exchange.body, answer.body, complete)
            self._remember(answer.body)
            found += headers.differences(exchange, answer, self.vault.url)
        return list(dict.fromkeys(found))

    def _remember(self, body):
        key = body.get("key") if isinstance(body, dict) else None
        if isinstance(key, dict) and "kid" in key:
            self.keys[key["kid"]] = key

    # -- reporting

    def _fail(self, exchange, answer, differences):
        self.failures += 1
        self.counts["different"] += 1
        target = exchange.target
        after = self.broken.get(target)
        note = f" (after #{after})" if after is not None else ""
        if target and any(d.kind == "status" for d in differences):
            self.broken.setdefault(target, exchange.number)
        print(f"FAIL replay {exchange.label()}{note}: " + "; ".join(map(str, differences)))
        if self.options.verbose:
            self._show(exchange, answer)

    def _note(self, what, exchange, text):
        if what:
            self.counts[what] += 1
        if self.options.verbose > 1 and text:
            print(f"     {exchange.label()}: {what or 'note'}: {text}")

    def _show(self, exchange, answer):
        print(f"    {exchange.method} {self.mapping.target(exchange)}")
        if exchange.request["body"] is not None:
            print("    > " + json.dumps(exchange.request["body"])[:1500])
        print(f"    recorded {exchange.status} " + json.dumps(exchange.body)[:3000])
        if answer is not None:
            print(f"    actual   {answer.status} " + json.dumps(answer.body)[:3000])


def same_state(exchange, answer):
    """Is the operation where it was when it was recorded?"""
    states = [b.get("status") if isinstance(b, dict) else None for b in (exchange.body, answer.body)]
    return states[0] == states[1] and answer.status == exchange.status


def is_list(body):
    return isinstance(body, dict) and isinstance(body.get("value"), list)


def judge_token(exchange, answer):
    """The members and their types (wire reference, section 2.3)."""
    found = []
    if answer.status != exchange.status:
        found.append(Difference("status", str(answer.status), compare.brief(str(answer.body))))
        return found
    for name, value in exchange.body.items():
        if type(answer.body.get(name)) is not type(value):
            found.append(Difference("type", name, f"{compare.brief(answer.body.get(name))}"))
    if answer.body.get("token_type") != "Bearer":
        found.append(Difference("value", "token_type", "Bearer expected"))
    return found


# What client libraries read of the two documents that describe an authority.
AUTHORITY_MEMBERS = {
    "openidConfiguration": ("token_endpoint", "issuer", "authorization_endpoint", "jwks_uri"),
    "instanceDiscovery": ("tenant_discovery_endpoint", "api-version", "metadata"),
}


def judge_authority(exchange, answer):
    """What client libraries read, in the recorded types."""
    if answer.status != exchange.status or not isinstance(answer.body, dict):
        return [Difference("status", str(answer.status), compare.brief(str(answer.body)))]
    return [Difference("type", n, compare.brief(answer.body.get(n)))
            for n in AUTHORITY_MEMBERS[exchange.operation]
            if type(answer.body.get(n)) is not type(exchange.body[n])]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", help="a build directory with keyvaultd")
    parser.add_argument("--recordings", help="the recordings (default: ../shared/recordings)")
    parser.add_argument("--only", default="*", metavar="GLOB", help="scenarios to replay")
    parser.add_argument("--url", help="a running keyvaultd")
    parser.add_argument("--ca", help="its ca.pem")
    parser.add_argument("--client-id")
    parser.add_argument("--client-secret")
    parser.add_argument("--kind", choices=("vault", "managed-hsm"),
                        help="replay scenarios of this kind only; what the running one is")
    parser.add_argument("--verbose", "-v", action="count", default=0,
                        help="show what differs in full; twice: also what is allowed")
    parser.add_argument("--keep", action="store_true", help="keep the vaults' directories")
    options = parser.parse_args()
    if bool(options.build) == bool(options.url):
        parser.error("either --build or --url")
    if options.url and not (options.ca and options.client_id and options.client_secret):
        parser.error("--url needs --ca, --client-id and --client-secret")
    return options


class Vaults:
    """The servers of a run, one of each kind, started when first needed."""

    def __init__(self, options):
        self.options = options
        self.running = {}
        self.directory = Path(tempfile.mkdtemp(prefix="kvp-wire."))

    def get(self, kind):
        if kind not in self.running:
            o = self.options
            if o.url:
                self.running[kind] = Vault(kind, o.url, o.ca, o.client_id, o.client_secret)
            else:
                self.running[kind] = Vault.start(o.build, kind, self.directory / kind)
        return self.running[kind]

    def stop(self):
        for vault in self.running.values():
            vault.stop()
        if self.options.keep:
            print(f"the vaults' data is in {self.directory}")
        else:
            shutil.rmtree(self.directory)


def main():
    options = arguments()
    root = Path(options.recordings or HERE.parents[2] / "shared" / "recordings")
    if not root.is_dir():
        print(f"SKIP replay: no recordings in {root}")
        return 0
    exceptions = Exceptions(HERE / "exceptions.json")
    scenarios = [s for s in recording.load(root, options.only)
                 if options.kind in (None, s.service)]
    total, areas = collections.Counter(), collections.Counter()
    vaults = Vaults(options)
    try:
        for scenario in scenarios:
            replay = Replay(scenario, vaults.get(scenario.service), exceptions, options)
            replay.run()
            total += replay.counts
            areas[scenario.name.split("/")[0]] += replay.failures
    except VaultError as error:
        print(f"FAIL replay server: {error}")
        total["different"] += 1
    finally:
        vaults.stop()
    if options.only == "*" and options.kind is None and not total["different"]:
        for entry in exceptions.unused():
            total["different"] += 1
            print(f"FAIL replay exceptions.json: nothing needs this any more: {json.dumps(entry)}")
    replayed = total["equal"] + total["different"]
    print(f"replay: {len(scenarios)} scenarios, {replayed} exchanges replayed, "
          f"{total['equal']} equal, {total['different']} different; {total['excepted']} excepted, "
          f"{total['collapsed']} polls and pages collapsed")
    for area, count in sorted(areas.items()):
        print(f"replay: {area}: {count} different")
    return 1 if total["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
