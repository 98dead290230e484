# SPDX-License-Identifier: MIT
"""Objects that were in the recorded vault before the recording began, made again so that what is
said of them can be compared.

Known are only their last attributes, from the answer in which they first appear.
"""

import time

from .forge import unb64url
from .recording import BIRTHS
from .vault import API

ATTRIBUTES = ("enabled", "nbf", "exp")


def prepare(scenario, vault):
    """Make what the scenario takes for granted; returns the (collection, name) pairs made."""
    seen, made = set(), set()
    for exchange in scenario.exchanges:
        target = exchange.target
        if exchange.to_login or target is None or target in seen or not exchange.authorized:
            continue
        if exchange.operation in BIRTHS or exchange.status < 300:
            seen.add(target)
        if exchange.operation in BIRTHS or "/versions" in exchange.path:
            continue
        if _make(exchange, vault, _listed(scenario, target)):
            made.add(target)
    return made


def _listed(scenario, target):
    """The item of a list that tells of the object, or {}."""
    for exchange in scenario.exchanges:
        items = exchange.body.get("value") if isinstance(exchange.body, dict) else None
        for item in items if isinstance(items, list) else []:
            url = item.get("kid") or item.get("id") or "" if isinstance(item, dict) else ""
            if url.split("/")[3:5] == list(target):
                return item
    return {}


def _make(exchange, vault, listed):
    collection, name = exchange.target
    body = exchange.body if isinstance(exchange.body, dict) else {}
    inner = (body.get("error") or {}).get("innererror") or {}
    if inner.get("code") == "SecretManagedByKeyVault":
        return _certificate(vault, name, listed.get("tags"))
    if exchange.status >= 300:
        return False
    if collection == "keys" and not body.get("managed"):
        path, document = f"/keys/{name}/create", _key(body)
    elif collection == "secrets" and "kid" not in body:
        path, document = f"/secrets/{name}", _secret(body)
    else:
        return False
    method = "POST" if collection == "keys" else "PUT"
    answer = vault.call(method, f"{path}?api-version={API}", document)
    if exchange.path.lower().startswith("/deleted"):
        vault.call("DELETE", f"/{collection}/{name}?api-version={API}")
    return answer.status == 200


def _attributes(body):
    known = body.get("attributes") or {}
    return {n: known[n] for n in ATTRIBUTES if n in known}


def _secret(body):
    document = {"value": body.get("value", "value"), "attributes": _attributes(body)}
    for name in ("contentType", "tags"):
        if name in body:
            document[name] = body[name]
    return document


def _key(body):
    key = body.get("key") or {"kty": "RSA"}
    document = {"kty": key["kty"], "attributes": _attributes(body)}
    for name in ("crv", "key_ops"):
        if name in key:
            document[name] = key[name]
    # An old, small RSA key can only have been imported; one of another size must do for it.
    if "n" in key and len(unb64url(key["n"])) in (256, 384, 512):
        document["key_size"] = len(unb64url(key["n"])) * 8
    if "tags" in body:
        document["tags"] = body["tags"]
    return document


def _certificate(vault, name, tags):
    """A self-signed certificate, waited for: its secret is what the recording speaks of."""
    policy = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=Prelude"}}
    path = f"/certificates/{name}/create?api-version={API}"
    answer = vault.call("POST", path, {"policy": policy, "tags": tags})
    if answer.status != 202:
        return False
    for _ in range(200):
        answer = vault.call("GET", f"/secrets/{name}?api-version={API}")
        if answer.status == 200:
            return True
        if answer.status not in (404, 403):
            break
        time.sleep(0.1)
    return False
