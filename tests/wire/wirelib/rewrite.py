# SPDX-License-Identifier: MIT
"""What the server chose then, and what it chose now: versions, links, blobs, signatures.

The recording says `0123…` where this server said `89ab…`: every pair is learned when an answer
is compared, and put into the requests that follow.
"""

import re
import urllib.parse

from .recording import SERVICE_HOST

VERSION = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


class Mapping:
    """Recorded strings → the strings of this server, for one scenario."""

    def __init__(self, base, hosts):
        self.base = base
        self.known = {}
        self.links = {}
        names = "|".join(re.escape(h) for h in sorted(hosts, key=len, reverse=True))
        pattern = rf"https://(?:{names})(?::443)?(?=[/\"' ?,;)]|$)"
        self.hosts = re.compile(pattern) if names else None

    def learn(self, recorded, actual):
        self.known[recorded] = actual

    def learn_link(self, recorded, actual):
        self.links[normal_link(recorded)] = actual

    def link(self, url):
        """The actual next link for a recorded one, or None when this list had no such page."""
        return self.links.get(normal_link(url))

    def at_home(self, text):
        """`text` with every address of the service replaced by this server's."""
        text = SERVICE_HOST.sub(lambda _: self.base, text)
        return self.hosts.sub(lambda _: self.base, text) if self.hosts else text

    def expect(self, text):
        """What a recorded string should read here."""
        if text in self.known:
            return self.known[text]
        return VERSION.sub(lambda m: self.known.get(m.group(), m.group()), self.at_home(text))

    def deep(self, value):
        """A request body with everything replaced that this server chose."""
        if isinstance(value, str):
            return self.expect(value)
        if isinstance(value, list):
            return [self.deep(v) for v in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return self.known.get(value, value)
        if isinstance(value, dict):
            return {k: self.deep(v) for k, v in value.items()}
        return value

    def target(self, exchange):
        """Path and query for this server."""
        path = VERSION.sub(lambda m: self.known.get(m.group(), m.group()), exchange.path)
        query = exchange.query
        if not exchange.api_version:
            # Some recorders dropped the query.
            query = (query + "&" if query else "") + "api-version=7.2"
        pieces = [p if "=" not in p else self._piece(p) for p in query.split("&")]
        return path + "?" + "&".join(pieces)

    def _piece(self, piece):
        name, value = piece.split("=", 1)
        return f"{name}={self.known.get(value, value)}"


def normal_link(url):
    """A next link without what SDKs change in it: port 443 and the order of the query."""
    parts = urllib.parse.urlsplit(url)
    query = tuple(sorted(urllib.parse.parse_qsl(parts.query)))
    return parts.hostname, parts.path, query
