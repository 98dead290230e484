# SPDX-License-Identifier: MIT
"""The recordings: scenarios, exchanges, and what of them an answer's shape depends on.

Reads the files in place. Knows nothing of how a request is sent or how an answer is judged.
"""

import fnmatch
import json
import re
import urllib.parse
from pathlib import Path

LOGIN_HOSTS = re.compile(r"^login\.(microsoftonline\.com|windows\.net)$")
SERVICE_HOST = re.compile(
    r"https://[A-Za-z0-9_.-]+\.(?:vault|managedhsm)\.azure\.net(?::443)?(?=[/\"' ?,;)]|$)")
COLLECTIONS = ("keys", "secrets", "certificates")
BIRTHS = {"createKey", "importKey", "setSecret", "createCertificate", "importCertificate"}


class Exchange:
    """One request and the answer that the real service gave."""

    def __init__(self, scenario, number, data):
        self.scenario = scenario
        self.number = number
        self.operation = data["operation"]
        self.request = data["request"]
        self.response = data["response"]
        self.transient = bool(data.get("transient"))
        url = urllib.parse.urlsplit(self.request["url"])
        self.url = self.request["url"]
        self.host = url.netloc
        self.path = url.path
        self.query = url.query
        self.method = self.request["method"]
        self.status = self.response["status"]
        self.body = self.response["body"]
        self.api_version = self._api_version()
        self.authorized = "authorization" in self.request["headers"]

    def _api_version(self):
        found = urllib.parse.parse_qs(self.query).get("api-version")
        return found[0] if found else ""

    @property
    def to_login(self):
        return bool(LOGIN_HOSTS.match(self.host))

    @property
    def segments(self):
        """The path without empty parts: //rng and keys/NAME/ are what they look like."""
        return [urllib.parse.unquote(s) for s in self.path.split("/") if s]

    @property
    def target(self):
        """(collection, name) of the object spoken of, or None."""
        parts = self.segments
        if len(parts) < 2:
            return None
        collection = parts[0].lower().replace("deleted", "", 1)
        if collection not in COLLECTIONS or parts[1].lower() in ("restore", "issuers", "contacts"):
            return None
        return collection, parts[1]

    def label(self):
        return f"{self.scenario.name} #{self.number} {self.operation}"


class Scenario:
    """One recorded test of somebody's client, in the order in which it happened."""

    def __init__(self, path, root):
        data = json.loads(path.read_text(encoding="utf-8"))
        self.name = str(path.relative_to(root))[:-len(".json")]
        self.recorded = data["recorded"]
        self.exchanges = [Exchange(self, i, e) for i, e in enumerate(data["exchanges"])]
        self.service = self._service(data["service"])
        self._find_transients()
        self.hosts = {e.host for e in self.exchanges if not e.to_login}

    def _service(self, label):
        """The kind of server that spoke, by its own headers: a recording may be filed wrongly."""
        for e in self.exchanges:
            if "x-ms-server-latency" in e.response["headers"]:
                return "managed-hsm"
            if {"pragma", "x-ms-keyvault-service-version"} <= e.response["headers"].keys():
                return "vault"
        return label

    def _find_transients(self):
        """A deleted object that "was not found" and in the next request was something else."""
        for e, after in zip(self.exchanges, self.exchanges[1:]):
            if (e.status == 404 != after.status and e.path.startswith("/deleted")
                    and (e.method, e.url) == (after.method, after.url)):
                e.transient = True

    def objects(self):
        """Every (collection, name) a request speaks of, and ("issuers", name), ("contacts", "")."""
        found = set()
        for e in self.exchanges:
            if e.to_login:
                continue
            if e.target:
                found.add(e.target)
            parts = e.segments
            if parts[:2] == ["certificates", "issuers"] and len(parts) > 2:
                found.add(("issuers", parts[2]))
            if parts[:2] == ["certificates", "contacts"]:
                found.add(("contacts", ""))
        return found

    def born(self):
        """The objects that the scenario itself makes: their state is fully known."""
        made = {e.target for e in self.exchanges
                if e.operation in BIRTHS and e.status < 300 and e.target}
        for e in self.exchanges:
            if e.method == "PUT" and e.status < 300 and len(e.segments) > 2:
                made.add((e.segments[-2], e.segments[-1]))
        return made


def load(root, only="*"):
    """The scenarios under `root` whose name matches the glob `only`."""
    root = Path(root)
    found = []
    for path in sorted(root.glob("*/*.json")):
        name = str(path.relative_to(root))[:-len(".json")]
        if fnmatch.fnmatch(name, only) or fnmatch.fnmatch(name, f"*{only}*"):
            found.append(Scenario(path, root))
    return found
