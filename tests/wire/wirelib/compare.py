# SPDX-License-Identifier: MIT
"""Is this body what the service would have said? Members, types, forms, and values where they are
not the server's own choice.

A difference has a kind ("missing", "extra", "type", "form", "value", "status", "header"), a place
and a sentence; exceptions.json names differences as "KIND PLACE".
"""

import base64
import binascii
import json
import re
from collections import namedtuple

from .rewrite import VERSION

Difference = namedtuple("Difference", "kind place text")
Difference.__str__ = lambda d: f"{d.kind} {d.place}: {d.text}"

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
B64URL = re.compile(r"[A-Za-z0-9_-]*\Z")
B64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z")
CURVE_BYTES = {"P-256": 32, "P-384": 48, "P-521": 66, "P-256K": 32, "SECP256K1": 32}
RECOVERY_LEVELS = {
    "Purgeable": {0}, "Recoverable+Purgeable": {90}, "Recoverable": {90},
    "Recoverable+ProtectedSubscription": {90},
    **{f"CustomizedRecoverable{s}": set(range(7, 90))
       for s in ("", "+Purgeable", "+ProtectedSubscription")}}
# Members whose text must be the same wherever the recording repeats it.
STEADY = {"n", "x", "y", "x5t", "cer", "csr", "request_id"}
HALF_MINUTE = 30
TWO_DAYS = 172800


class Comparer:
    """Compares the bodies of one exchange; learns what the server chose on the way."""

    def __init__(self, exchange, mapping, sent, window, born):
        self.exchange = exchange
        self.mapping = mapping
        self.sent = set(strings(sent))      # what the request itself said must come back as it was
        self.window = window                # (first, last) second in which things were made here
        self.born = born
        self.found = []

    def differ(self, kind, place, text):
        self.found.append(Difference(kind, place or "body", text))

    def bodies(self, recorded, actual, complete=None):
        """`complete`: every item of the list that the answer is a page of."""
        if isinstance(recorded, dict) and isinstance(recorded.get("value"), list):
            if isinstance(actual, dict) and isinstance(actual.get("value"), list):
                self._page(recorded, actual, complete)
                return self.found
        self._any(recorded, actual, "", {}, {})
        return self.found

    # -- structure

    def _any(self, recorded, actual, place, rparent, aparent):
        if type_name(recorded) != type_name(actual):
            self.differ("type", place, f"{type_name(recorded)} expected, got {brief(actual)}")
        elif isinstance(recorded, dict):
            self._dict(recorded, actual, place)
        elif isinstance(recorded, list):
            self._list(recorded, actual, place)
        elif recorded is not None:
            self._leaf(recorded, actual, place, rparent, aparent)

    def _dict(self, recorded, actual, place):
        for name in recorded:
            where = f"{place}.{name}" if place else name
            if name not in actual:
                self.differ("missing", where, f"the service says {brief(recorded[name])}")
            else:
                self._any(recorded[name], actual[name], where, recorded, actual)
        for name in actual:
            if name not in recorded:
                where = f"{place}.{name}" if place else name
                self.differ("extra", where, f"the service has none; got {brief(actual[name])}")
        self._together(actual, place)

    def _list(self, recorded, actual, place):
        scalars = all(not isinstance(v, (dict, list)) for v in recorded + actual)
        name = place.rsplit(".", 1)[-1]
        if scalars and self._any_order(name):
            if sorted(map(str, recorded)) != sorted(map(str, actual)):
                self.differ("value", place, f"{brief(recorded)} expected, got {brief(actual)}")
        elif len(recorded) != len(actual):
            self.differ("value", place, f"{len(recorded)} elements expected, got {brief(actual)}")
        else:
            for r, a in zip(recorded, actual):
                self._any(r, a, place + "[]", {}, {})

    def _any_order(self, name):
        """A Managed HSM returns key_ops in varying order (wire reference, section 4.1)."""
        return name in ("dataActions", "notDataActions") or (name == "key_ops" and self._hsm())

    def _hsm(self):
        return self.exchange.scenario.service == "managed-hsm"

    def _together(self, actual, place):
        """Members that must agree with each other, whatever was recorded."""
        if isinstance(actual.get("deletedDate"), int) and "scheduledPurgeDate" in actual:
            days = (actual.get("attributes") or {}).get("recoverableDays")
            if isinstance(days, int):
                if actual["scheduledPurgeDate"] != actual["deletedDate"] + days * 86400:
                    self.differ("value", join(place, "scheduledPurgeDate"),
                                f"deletedDate + {days} days expected")
        level = actual.get("recoveryLevel")
        if level is not None and "created" in actual:
            days = RECOVERY_LEVELS.get(level)
            if days is None:
                self.differ("value", join(place, "recoveryLevel"), f"no such level: {brief(level)}")
            elif "recoverableDays" in actual and actual["recoverableDays"] not in days:
                self.differ("value", join(place, "recoverableDays"),
                            f"{brief(actual['recoverableDays'])} with {level}")

    # -- lists of objects

    def _page(self, recorded, actual, complete):
        """One page. What else was in the recorded vault is nobody's concern: items that the
        scenario made are compared, the others only lend their shape."""
        items = actual["value"] if complete is None else complete
        here = {self._item_path(i): i for i in items if isinstance(i, dict)}
        matched = set()
        for item in recorded["value"]:
            path = self._item_path(item, recorded=True)
            if path in here:
                self._any(item, here[path], "value[]", {}, {})
                matched.add(path)
            elif self._ours(item):
                self.differ("missing", "value[]", f"{path} is not in the list")
        shapes = [set(i) for i in recorded["value"] if isinstance(i, dict)]
        for item in actual["value"]:
            if self._item_path(item) not in matched:
                self._shape(item, shapes)
        self._order(actual["value"])
        self._envelope(recorded, actual)

    def _order(self, items):
        """By name, versions by version string, whatever the case (wire reference, section 3.1)."""
        paths = [self._item_path(i).lower() for i in items]
        if not self._hsm() and paths != sorted(paths):
            self.differ("value", "value", f"not in order: {', '.join(paths)[:200]}")

    def _shape(self, item, shapes):
        if not shapes:
            return
        if not isinstance(item, dict):
            self.differ("type", "value[]", f"object expected, got {brief(item)}")
            return
        optional = {"tags", "managed", "contentType", "x5t"}    # x5t: of finished ones only
        for name in set.intersection(*shapes) - set(item) - optional:
            self.differ("missing", f"value[].{name}", f"not in {brief(item)}")
        for name in set(item) - set.union(*shapes) - optional:
            self.differ("extra", f"value[].{name}", f"no recorded item has it; got {brief(item)}")

    def _envelope(self, recorded, actual):
        """Beside the items: nextLink, which ends as null on a vault and is left out by an HSM."""
        for name in recorded.keys() ^ actual.keys():
            if name != "nextLink":
                kind = "missing" if name in recorded else "extra"
                self.differ(kind, name, brief(recorded.get(name, actual.get(name))))
        self._next_link(recorded, actual)
        limit = re.search(r"maxresults=(\d+)", self.exchange.query)
        if len(actual["value"]) > (int(limit.group(1)) if limit else 25):
            if "Microsoft.Authorization" not in self.exchange.path:
                self.differ("value", "value", f"{len(actual['value'])} items in one page")

    def _next_link(self, recorded, actual):
        # Lists without pages (roles, say) have no such member in any answer.
        link = actual.get("nextLink")
        if link is None:
            if "nextLink" in recorded and not self._hsm() and "nextLink" not in actual:
                self.differ("missing", "nextLink", "null expected on the last page")
            elif "nextLink" in actual and self._hsm():
                self.differ("extra", "nextLink", "a Managed HSM leaves it out on the last page")
        elif not isinstance(link, str) or not link.startswith(self.mapping.base + "/"):
            self.differ("form", "nextLink", f"{self.mapping.base}/… expected, got {brief(link)}")
        elif "skiptoken=" not in link or ("api-version=" not in link and not self._hsm()):
            self.differ("form", "nextLink", f"$skiptoken and api-version expected in {link}")
        elif isinstance(recorded.get("nextLink"), str):
            self.mapping.learn_link(recorded["nextLink"], link)

    def _item_path(self, item, recorded=False):
        url = item.get("kid") or item.get("id") or "" if isinstance(item, dict) else ""
        if recorded:
            url = self.mapping.expect(url)
        return url[len(self.mapping.base):] if url.startswith(self.mapping.base) else url

    def _ours(self, item):
        """Must the item be in this list too? What the scenario made, and built-in roles."""
        if isinstance(item, dict) and item.get("type") == "Microsoft.Authorization/roleDefinitions":
            return item.get("properties", {}).get("type") == "AKVBuiltInRole"
        parts = self._item_path(item, recorded=True).strip("/").split("/")
        if len(parts) > 2 and parts[-2] in ("issuers", "roleAssignments", "roleDefinitions"):
            return (parts[-2], parts[-1]) in self.born
        return len(parts) > 1 and (parts[0], parts[1]) in self.born

    # -- leaves

    def _leaf(self, recorded, actual, place, rparent, aparent):
        name = place.rsplit(".", 1)[-1]
        judge = None if ".tags." in f".{place}" else LEAVES.get(name)
        if isinstance(recorded, str) and re.match(r"https?://", self.mapping.expect(recorded)):
            self._url(recorded, actual, place)
        elif judge:
            judge(self, recorded, actual, place, rparent, aparent)
        else:
            self._exact(recorded, actual, place)

    def _exact(self, recorded, actual, place, *_):
        expected = self.mapping.expect(recorded) if isinstance(recorded, str) else recorded
        if expected != actual:
            self.differ("value", place, f"{brief(expected)} expected, got {brief(actual)}")

    def _url(self, recorded, actual, place, *_):
        """Identifiers: this server's own host and port, the same path, a version of its choice."""
        expected = self.mapping.expect(recorded)
        if expected == actual:
            return
        if not expected.startswith(self.mapping.base):
            self.differ("value", place, f"{expected} expected, got {brief(actual)}")
            return
        want = expected.split("?")[0].split("/")
        got = actual.split("?")[0].split("/")
        if len(want) != len(got):
            self.differ("form", place, f"{expected} expected, got {brief(actual)}")
            return
        for w, g in zip(want, got):
            if w == g:
                continue
            both = VERSION.fullmatch(w) and VERSION.fullmatch(g)
            if both and w not in self.mapping.known.values():
                self.mapping.learn(w, g)
            else:
                self.differ("value", place, f"{expected} expected, got {brief(actual)}")
                return

    def _time(self, recorded, actual, place, *_):
        if recorded == 0 == actual:
            return          # never made
        first, last = self.window
        if not first - HALF_MINUTE <= actual <= last + HALF_MINUTE:
            self.differ("value", place, f"{actual} is not a time of this run")

    def _skip(self, recorded, actual, place, *_):
        """Judged with its neighbours in _together."""

    def _validity(self, recorded, actual, place, rparent, aparent):
        """nbf and exp: what the client asked, else the same distance from the time of creation."""
        if recorded == actual or self.mapping.known.get(recorded) == actual:
            return
        if "created" in rparent and "created" in aparent and recorded not in self.sent:
            then, now = recorded - rparent["created"], actual - aparent["created"]
            if abs(then - now) <= TWO_DAYS:
                if "cer" in (self.exchange.body or {}):
                    self.mapping.learn(recorded, actual)    # clients send it back
                return
            self.differ("value", place, f"created {then:+d} s expected, got {now:+d} s")
            return
        self.differ("value", place, f"{recorded} expected, got {actual}")

    def _number(self, recorded, actual, place, rparent, aparent):
        """Parts of a public key: base64url; what was imported comes back, else the right width."""
        value = self._decode(B64URL, base64.urlsafe_b64decode, actual, place)
        if value is None:
            return
        wanted = recorded if recorded in self.sent else self._steady(recorded, actual, place)
        if wanted is not None:
            other = decode(base64.urlsafe_b64decode, wanted)
            if int.from_bytes(other, "big") != int.from_bytes(value, "big"):
                self.differ("value", place, f"{brief(wanted)} expected, got {brief(actual)}")
            self.mapping.learn(recorded, actual)
            return
        name = place.rsplit(".", 1)[-1]
        if name == "e":
            if int.from_bytes(decode(base64.urlsafe_b64decode, recorded), "big") != \
                    int.from_bytes(value, "big"):
                self.differ("value", place, f"{recorded} expected, got {actual}")
            return
        width = CURVE_BYTES.get(aparent.get("crv"))
        if name == "n":
            width = len(decode(base64.urlsafe_b64decode, recorded).lstrip(b"\0"))
        if width and len(value) != width:
            self.differ("form", place, f"{width} bytes expected, got {len(value)}")
        self.mapping.learn(recorded, actual)

    def _steady(self, recorded, actual, place):
        """The known counterpart of a recorded value, or None."""
        known = self.mapping.known.get(recorded)
        if known is None:
            return None
        return known if place.rsplit(".", 1)[-1] in STEADY else None

    def _blob(self, recorded, actual, place, pattern, decoder, same_length):
        value = self._decode(pattern, decoder, actual, place)
        if value is None or recorded == actual:
            return
        if recorded in self.sent:
            if self.mapping.known.get(recorded) == actual:
                return      # what was sent was made anew
            self.differ("value", place, f"{brief(recorded)} expected as sent, got {brief(actual)}")
            return
        wanted = self._steady(recorded, actual, place)
        if wanted is not None and wanted != actual:
            self.differ("value", place, f"{brief(wanted)} expected as before, got {brief(actual)}")
            return
        length = len(decode(decoder, recorded))
        if same_length and length != len(value):
            self.differ("form", place, f"{length} bytes expected, got {len(value)}")
        self.mapping.learn(recorded, actual)

    def _b64url(self, recorded, actual, place, *_):
        self._blob(recorded, actual, place, B64URL, base64.urlsafe_b64decode, True)

    def _der(self, recorded, actual, place, *_):
        """Ordinary base64 of DER (wire reference, section 7)."""
        self._blob(recorded, actual, place, B64, base64.b64decode, False)
        value = decode(base64.b64decode, actual)
        if not value or value[0] != 0x30:
            self.differ("form", place, f"DER expected, got {brief(actual)}")

    def _hex(self, recorded, actual, place, *_):
        if recorded == actual:
            return
        if not re.fullmatch(r"[0-9a-f]{32}", actual):
            self.differ("form", place, f"32 lower-case hex digits expected, got {brief(actual)}")
        wanted = self._steady(recorded, actual, place)
        if wanted is not None and wanted != actual:
            self.differ("value", place, f"{wanted} expected as before, got {actual}")
        self.mapping.learn(recorded, actual)

    def _serial(self, recorded, actual, place, *_):
        if not re.fullmatch(r"(?:[0-9A-F]{2})+", actual):
            self.differ("form", place, f"upper-case hex expected, got {brief(actual)}")

    def _value(self, recorded, actual, place, rparent, aparent):
        """`value` means something else in every operation."""
        operation = self.exchange.operation
        if operation in ("sign", "encrypt", "wrapKey", "getRandomBytes"):
            self._b64url(recorded, actual, place)
        elif operation.startswith("backup"):
            self._blob(recorded, actual, place, B64URL, base64.urlsafe_b64decode, False)
        elif "kid" in rparent and rparent.get("contentType") == "application/x-pkcs12":
            self._der(recorded, actual, place)
        elif "kid" in rparent and "-----BEGIN" in str(recorded):
            if labels(recorded) != labels(actual):
                self.differ("form", place, f"{labels(recorded)} expected, got {labels(actual)}")
            self.mapping.learn(recorded, actual)
        else:
            self._exact(recorded, actual, place)

    def _data(self, recorded, actual, place, *_):
        """A release policy: the service writes its JSON anew."""
        try:
            policies = [json.loads(decode(base64.urlsafe_b64decode, v)) for v in (recorded, actual)]
        except ValueError:
            self.differ("form", place, f"base64url of JSON expected, got {brief(actual)}")
            return
        if policies[0] != policies[1]:
            self.differ("value", place, f"{policies[0]} expected, got {policies[1]}")

    def _message(self, recorded, actual, place, *_):
        """Word for word, but for identifiers, names of the vault and who called."""
        expected = self.mapping.expect(recorded)
        if plain(expected, self.mapping.base) != plain(actual, self.mapping.base):
            self.differ("value", place, f"{expected!r} expected, got {actual!r}")

    def _principal(self, recorded, actual, place, *_):
        if not UUID.fullmatch(actual):
            self.differ("form", place, f"a UUID expected, got {brief(actual)}")

    def _decode(self, pattern, decoder, actual, place):
        if not pattern.match(actual):
            self.differ("form", place, f"not the right base64: {brief(actual)}")
            return None
        try:
            return decode(decoder, actual)
        except (binascii.Error, ValueError):
            self.differ("form", place, f"broken base64: {brief(actual)}")
            return None


LEAVES = {
    "created": Comparer._time, "updated": Comparer._time, "deletedDate": Comparer._time,
    "scheduledPurgeDate": Comparer._skip,
    "recoveryLevel": Comparer._skip, "recoverableDays": Comparer._skip,
    "nbf": Comparer._validity, "exp": Comparer._validity,
    "n": Comparer._number, "e": Comparer._number, "x": Comparer._number, "y": Comparer._number,
    "iv": Comparer._b64url, "tag": Comparer._b64url, "x5t": Comparer._b64url,
    "cer": Comparer._der, "csr": Comparer._der,
    "request_id": Comparer._hex, "serialnumber": Comparer._serial,
    "value": Comparer._value, "message": Comparer._message, "data": Comparer._data,
}


def plain(message, base):
    """A message without what differs from server to server and from call to call."""
    message = UUID.sub("GUID", message.replace(base, "VAULT"))
    message = re.sub(r"\b(?:Vault: |key vault ')[^;']*;location=[^\s']*", "VAULT;location", message)
    message = re.sub(r"(?:;numgroups=\d+)", "", message)
    return re.sub(r"\s+", " ", message).strip()


def labels(pem):
    return re.findall(r"-----BEGIN ([A-Z0-9 ]+)-----", str(pem))


def decode(decoder, text):
    return decoder(text + "=" * (-len(text) % 4))


def join(place, name):
    return f"{place}.{name}" if place else name


def strings(value):
    """Every string and number in a body."""
    if isinstance(value, dict):
        for v in value.values():
            yield from strings(v)
    elif isinstance(value, list):
        for v in value:
            yield from strings(v)
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        yield value


def type_name(value):
    return {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer",
            float: "real number", type(None): "null"}[type(value)]


def brief(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 120 else f"{text[:80]}… ({len(text)} characters)"
