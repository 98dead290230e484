# SPDX-License-Identifier: MIT
"""A keyvaultd to talk to: start one or use a running one, get a token, send requests, clean up."""

import configparser
import http.client
import json
import ssl
import subprocess
import time
import urllib.parse
import uuid
from pathlib import Path

API = "7.4"
# Seconds that a certificate takes, so that what recordings say of one in progress can be seen.
CERTIFICATE_DELAY = "3"


class VaultError(Exception):
    """keyvaultd could not be started or gave no token."""


class Answer:
    """What came back: status, headers by lower-case name (last one wins), parsed body."""

    def __init__(self, status, headers, raw, client_request_id=None):
        self.status = status
        self.headers = headers
        self.raw = raw
        self.client_request_id = client_request_id
        self.body = None
        if raw:
            try:
                self.body = json.loads(raw)
            except ValueError:
                self.body = raw.decode("utf-8", "replace")


class Vault:
    """One server: its address, its trust anchor, and one principal that may do everything."""

    def __init__(self, kind, url, ca, client_id, client_secret):
        self.kind = kind
        self.url = url.rstrip("/")
        self.client_id = client_id
        self.client_secret = client_secret
        self.context = ssl.create_default_context(cafile=ca)
        self.connections = {}
        self.process = None
        self.challenge = None
        self.token = None

    @classmethod
    def start(cls, build, kind, directory):
        """Start BUILD/keyvaultd on a free port with its data in `directory`."""
        directory = Path(directory)
        directory.mkdir(parents=True)
        data = directory / "data"
        with open(directory / "stderr", "wb") as err:
            process = subprocess.Popen(
                [str(Path(build) / "keyvaultd"), "--data", str(data), "--listen", "127.0.0.1:0",
                 "--kind", kind, "--certificate-delay", CERTIFICATE_DELAY], stdout=subprocess.PIPE, stderr=err)
        line = process.stdout.readline().decode()
        if not line.startswith("ready "):
            process.kill()
            process.wait()
            text = (directory / "stderr").read_text(encoding="utf-8", errors="replace")
            raise VaultError(f"keyvaultd --kind {kind} did not start: {text.strip()[-400:]}")
        try:
            identity, secret = read_conf(data / "kvpkcs11.conf")
            vault = cls(kind, line.split()[1], str(data / "ca.pem"), identity, secret)
        except Exception:
            process.kill()
            process.wait()
            raise
        vault.process = process
        return vault

    def stop(self):
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise VaultError("keyvaultd did not end after SIGTERM") from None
            finally:
                self.process.stdout.close()

    def send(self, method, url, headers=None, body=None):
        """One request to an absolute URL or a path of this server, as it is; never repeated."""
        if url.startswith("/"):
            url = self.url + url
        parts = urllib.parse.urlsplit(url)
        target = parts.path + ("?" + parts.query if parts.query else "")
        payload = None
        if body is not None:
            payload = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = dict(headers or {})
        if payload is None and method not in ("GET", "DELETE", "HEAD"):
            headers["content-length"] = "0"
        for attempt in (1, 2):
            connection = self.connections.get(parts.netloc)
            if connection is None:
                connection = http.client.HTTPSConnection(
                    parts.hostname, parts.port, timeout=60, context=self.context)
                self.connections[parts.netloc] = connection
            try:
                connection.request(method, target, body=payload, headers=headers)
                response = connection.getresponse()
                raw = response.read()
                found = {k.lower(): v for k, v in response.getheaders()}
                return Answer(response.status, found, raw, headers.get("x-ms-client-request-id"))
            except (http.client.HTTPException, ConnectionError):
                # A kept connection may have been closed while idle: one new one is fair.
                connection.close()
                del self.connections[parts.netloc]
                if attempt == 2:
                    raise
        raise AssertionError("not reached")

    def authorization(self):
        """`Bearer TOKEN` for the administrator, fetched where the challenge says."""
        if not self.token:
            self.token = self._fetch_token()
        return "Bearer " + self.token

    def _fetch_token(self):
        answer = self.send("GET", f"/keys?api-version={API}")
        self.challenge = parse_challenge(answer.headers.get("www-authenticate", ""))
        if answer.status != 401 or not self.challenge:
            raise VaultError(f"no challenge: HTTP {answer.status} {answer.headers}")
        form = urllib.parse.urlencode({
            "grant_type": "client_credentials", "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": self.challenge["resource"] + "/.default"})
        answer = self.send("POST", self.challenge["authorization"] + "/oauth2/v2.0/token",
                           {"content-type": "application/x-www-form-urlencoded",
                            "accept": "application/json"}, form)
        if answer.status != 200 or "access_token" not in (answer.body or {}):
            raise VaultError(f"no token: HTTP {answer.status} {answer.raw[:300]!r}")
        return answer.body["access_token"]

    def call(self, method, path, body=None):
        """An authorised request of the tool's own, for cleaning up and for following lists."""
        headers = {"authorization": self.authorization(), "accept": "application/json",
                   "x-ms-client-request-id": str(uuid.uuid4())}
        if body is not None:
            headers["content-type"] = "application/json"
        return self.send(method, path, headers, body)

    def forget(self, objects):
        """Delete and purge these (collection, name) pairs, so that their names are free."""
        def order(item):
            return {"certificates": 0, "keys": 1, "secrets": 2}.get(item[0], 3), item[1]

        for collection, name in sorted(objects, key=order):
            quoted = urllib.parse.quote(name)
            if collection == "contacts":
                self.call("DELETE", f"/certificates/contacts?api-version={API}")
            elif collection == "issuers":
                self.call("DELETE", f"/certificates/issuers/{quoted}?api-version={API}")
            else:
                self._purge(collection, quoted)

    def _purge(self, collection, name):
        if collection == "certificates":
            self.call("DELETE", f"/certificates/{name}/pending?api-version={API}")
        self.call("DELETE", f"/{collection}/{name}?api-version={API}")
        # Deletion may be completed after it was answered (wire reference, section 3).
        for _ in range(100):
            answer = self.call("DELETE", f"/deleted{collection}/{name}?api-version={API}")
            if answer.status != 409:
                return
            time.sleep(0.05)

    def walk(self, path):
        """All items of a list, over all its pages."""
        items = []
        while path:
            answer = self.call("GET", path)
            if answer.status != 200 or not isinstance(answer.body, dict):
                return items
            items += answer.body.get("value") or []
            path = answer.body.get("nextLink")
        return items


def read_conf(path):
    """(client id, client secret) of the configuration that keyvaultd wrote for its clients."""
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None)
    parser.read(path, encoding="utf-8")
    for section in parser.sections():
        values = parser[section]
        if "client_id" in values:
            secret = values.get("client_secret")
            if secret is None:
                secret = (path.parent / values["client_secret_file"]).read_text().strip()
            return values["client_id"], secret
    raise VaultError(f"{path} names no client")


def parse_challenge(header):
    """The parameters of a Bearer challenge, or {} when it is none."""
    if not header.startswith("Bearer "):
        return {}
    fields = {}
    for part in header[len("Bearer "):].split(","):
        key, _, value = part.strip().partition("=")
        fields[key] = value.strip('"')
    return fields if {"authorization", "resource"} <= fields.keys() else {}
