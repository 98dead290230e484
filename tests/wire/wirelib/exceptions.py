# SPDX-License-Identifier: MIT
"""The written list of what need not be equal: exceptions.json, read and applied.

An entry selects exchanges (globs and comparisons, all of which must hold) and either leaves them
out ("skip") or allows differences ("allow": globs over "KIND PLACE"). Each has a reason. An entry
that nothing needed any more is itself reported, so the list can only shrink.
"""

import fnmatch
import json
from pathlib import Path

SELECTORS = {
    "scenario": lambda e: e.scenario.name,
    "service": lambda e: e.scenario.service,
    "recorded": lambda e: e.scenario.recorded,
    "operation": lambda e: e.operation,
    "api_version": lambda e: e.api_version,
    "path": lambda e: e.path,
    "status": lambda e: str(e.status),
    "exchange": lambda e: str(e.number),
}


class Exceptions:
    def __init__(self, path):
        self.entries = json.loads(Path(path).read_text(encoding="utf-8"))
        for entry in self.entries:
            unknown = set(entry) - set(SELECTORS) - {"reason", "skip", "allow", "before"}
            if unknown or not entry.get("reason") or ("skip" in entry) == ("allow" in entry):
                raise ValueError(f"exceptions.json: {unknown or 'incomplete entry'}: {entry}")
        self.used = [0] * len(self.entries)

    def _matching(self, exchange):
        for i, entry in enumerate(self.entries):
            if "before" in entry and exchange.scenario.recorded >= entry["before"]:
                continue
            if all(any(fnmatch.fnmatchcase(get(exchange), g) for g in globs(entry[name]))
                   for name, get in SELECTORS.items() if name in entry):
                yield i, entry

    def skip(self, exchange):
        """The reason why this exchange is not replayed, or None."""
        for i, entry in self._matching(exchange):
            if entry.get("skip"):
                self.used[i] += 1
                return entry["reason"]
        return None

    def filter(self, exchange, differences):
        """(differences that remain, those that are allowed)"""
        remain, allowed = [], []
        entries = [(i, e) for i, e in self._matching(exchange) if "allow" in e]
        for d in differences:
            for i, entry in entries:
                if any(fnmatch.fnmatchcase(f"{d.kind} {d.place}", g) for g in entry["allow"]):
                    self.used[i] += 1
                    allowed.append(d)
                    break
            else:
                remain.append(d)
        return remain, allowed

    def unused(self):
        return [e for i, e in enumerate(self.entries) if not self.used[i]]


def globs(value):
    return value if isinstance(value, list) else [value]
