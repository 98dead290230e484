#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is docs/fidelity.md true of this tree? Prints PASS or FAIL a claim, like the rest of tests/wire.

usage: check-fidelity.py [--doc FILE] [--top DIR] [--recordings DIR] [--reference FILE]
                         [--results FILE]     also: what the other parts of tests/wire/run printed

Every test that the page names must exist and be run, every route must stand in it and it may name
no other, every exception of the replay must be told, and no row of the main tables may be without
a test. With the wire reference at hand, each of its sections 1 to 13 must occur somewhere. Whether
a test shows what its row says is for a reader to judge; whether it passes, for --results.
"""

import argparse
import fnmatch
import json
import re
import sys
from pathlib import Path

from wirelib.exceptions import Exceptions
from wirelib.recording import Scenario

HERE = Path(__file__).resolve().parent
SHOWN, CLIENT = "Shown by tests", "Rules that bind the client"
DIFFERENT, REPLAY, GAPS = "Known differences", "What the replay leaves out", "Not shown"
LAST_SECTION = 13
CODE = re.compile(r"`([^`]+)`")
SECTION = re.compile(r"\d+(?:\.\d+)?")


class Row:
    """One row of one table: its chapter, its cells and its line, to be pointed at."""

    def __init__(self, chapter, cells, line):
        self.chapter = chapter
        self.cells = cells
        self.line = line
        self.section = cells[0] if SECTION.fullmatch(cells[0]) else ""

    def refs(self):
        return CODE.findall(self.cells[-1])

    def __str__(self):
        return f"line {self.line} ({self.cells[min(1, len(self.cells) - 1)]})"


def rows_of(text):
    """Every row of every table; the heads and the lines under them are none."""
    chapter, found, lines = None, [], text.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("## "):
            chapter = line[3:].strip()
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        if i + 1 < len(lines) and set(lines[i + 1]) <= set("|-: ") and "-" in lines[i + 1]:
            continue
        cells = [c.strip() for c in line.strip().strip("|").split(" | ")]
        found.append(Row(chapter, cells, i + 1))
    return found


def without_comments(source):
    """C source in which nothing counts that the compiler does not see."""
    source = re.sub(r"/\*.*?\*/", " ", source, flags=re.S)
    return re.sub(r"^#\s*if 0\b.*?^#\s*endif", " ", source, flags=re.S | re.M)


class Results:
    """What the clients and the replay printed: for each part that ran, the names of what passed,
    and of each failure all beginnings that may be its name: a name may have a colon, as may what
    is said of the failure."""

    def __init__(self, text):
        self.passed, self.failed = {}, {}
        for word, part, rest in re.findall(r"^(PASS|FAIL) (sdk|python|replay) (.*)$", text, re.M):
            self.passed.setdefault(part, set())
            if word == "PASS":
                self.passed[part].add(rest.rsplit(" (", 1)[0] if part == "replay" else rest)
            else:
                ends = re.finditer(" #" if part == "replay" else ": ", rest)
                self.failed.setdefault(part, []).append([rest[:m.start()] for m in ends])

    def problem(self, part, name, names):
        """Why the check or scenario `name` is not as good as its name, or None. `names`: all that
        there are in this part; `*` in one stands for no other that is there in its own right."""
        for beginnings in self.failed.get(part, ()):
            found = next((b for b in beginnings if any(matches(b, n) for n in names)), "")
            if found == name or (found not in names and matches(found, name)):
                return f"failed: {part} {found}"
        passed = self.passed.get(part)
        if passed is not None and not any(matches(p, name) for p in passed if p == name
                                          or p not in names):
            return f"did not come to an end: {part} {name}"
        return None


def matches(text, name):
    return fnmatch.fnmatchcase(text, name.replace("[", "[[]"))


class Tree:
    """What there is: unit tests, checks of the clients, recorded scenarios, routes."""

    def __init__(self, top, recordings, results=None):
        self.top = top
        self.results = Results(results.read_text(encoding="utf-8") if results else "")
        self.recordings = recordings if recordings.is_dir() else None
        self.exceptions = Exceptions(top / "tests/wire/exceptions.json")
        self.makefiles = "".join(p.read_text(encoding="utf-8")
                                 for p in sorted((top / "tests").rglob("Makefile.inc")))
        self.cache = {}

    def problem(self, ref):
        """What is wrong with the reference to a test, or None."""
        name, colon, rest = ref.partition(":")
        if ref.startswith("recordings/"):
            name = ref[len("recordings/"):]
            return self._scenario(name) or self.results.problem("replay", name, {name})
        if not colon or not rest:
            return f"{ref} names no test"
        if name.startswith(("sdk/", "python/")):
            return self._client_check(name, rest)
        return self._unit(name, rest)

    def _unit(self, name, function):
        path = f"tests/unit/{name if '/' in name else 'vaultd/' + name}"
        if path not in self.cache:
            file = self.top / path
            text = without_comments(file.read_text(encoding="utf-8")) if file.is_file() else None
            self.cache[path] = text and (
                set(re.findall(r"\bSTART_TEST\s*\(\s*(\w+)\s*\)", text)),
                set(re.findall(r"\btcase_add_\w*test\w*\s*\(\s*\w+\s*,\s*(\w+)", text)))
        if not self.cache[path]:
            return f"there is no {path}"
        if path not in self.makefiles:
            return f"{path} is built by no Makefile.inc"
        defined, registered = self.cache[path]
        if function not in defined:
            return f"{path} defines no test {function}"
        return None if function in registered else f"{path} does not run {function}"

    def _client_checks(self, part):
        """The names of the checks of each file of a part; `*` for what is put in."""
        if part not in self.cache:
            self.cache[part] = {}
            for file in sorted((self.top / "tests/wire" / part).glob("*.[mp][jy]*")):
                calls = re.findall(r"\bcheck\(\s*(f?)([\"'`])(.*?)\2\s*,",
                                   file.read_text(encoding="utf-8"))
                self.cache[part][file.name] = {re.sub(r"\$?\{[^}]*\}", "*", t) if f or q == "`"
                                               else t for f, q, t in calls}
        return self.cache[part]

    def _client_check(self, name, check):
        part, _, file = name.partition("/")
        checks = self._client_checks(part)
        if check not in checks.get(file, ()):
            return f"tests/wire/{name} has no check \"{check}\""
        every = {c for names in checks.values() for c in names}
        return self.results.problem(part, check, every)

    def _scenario(self, name):
        if not self.recordings:
            return None
        file = self.recordings / f"{name}.json"
        if not file.is_file():
            return f"there is no recording {name}"
        scenario = Scenario(file, self.recordings)
        if all(self.exceptions.skip(e) for e in scenario.exchanges):
            return f"the replay leaves all of {name} out (exceptions.json)"
        return None

    def routes(self):
        """METHOD pattern of every row of the tables of routes."""
        found = set()
        for path in sorted((self.top / "src/vaultd").glob("*.c")):
            source = without_comments(path.read_text(encoding="utf-8"))
            if not re.search(r"\bkvp_route\s+\w+\[\w*\]\s*=", source):
                continue
            source, rest = expanded(source)
            if rest:
                raise ValueError(f"{path.name}: rows made by {rest} are not understood")
            rows = re.findall(r'\{\s*"([A-Z]+)"\s*,\s*((?:"[^"]*"\s*)+),', source)
            found |= {m + " " + "".join(re.findall(r'"([^"]*)"', p)) for m, p in rows}
        return found


def expanded(source):
    """The source with its own function-like macros put in, for a row of routes may be one, and the
    names of those that were not."""
    source = source.replace("\\\n", " ")
    macros = re.findall(r"^#define (\w+)\(([\w, ]*)\)(.*)$", source, flags=re.M)
    source = re.sub(r"^#.*$", "", source, flags=re.M)
    for _ in range(3):      # a macro may stand in another's body
        for name, parameters, body in macros:
            names = [p.strip() for p in parameters.split(",")]
            source = re.sub(rf"\b{name}\(((?:\"[^\"]*\"|[^()\"])*)\)",
                            lambda m, n=names, b=body: substituted(b, n, m.group(1)), source)
    return source, [name for name, _, _ in macros if re.search(rf"\b{name}\(", source)]


def substituted(body, names, text):
    arguments = [a.strip() for a in re.findall(r"(?:\"[^\"]*\"|[^,\"])+", text)]
    values = dict(zip(names, arguments))
    return re.sub(r"\"[^\"]*\"|\w+", lambda m: values.get(m.group(), m.group()), body)


class Report:
    """PASS once a claim, FAIL once a problem."""

    def __init__(self):
        self.failures = 0

    def claim(self, what, problems):
        for problem in problems:
            self.failures += 1
            print(f"FAIL fidelity {what}: {problem}")
        if not problems:
            print(f"PASS fidelity {what}")


def check_tests(report, tree, rows):
    """Every row names tests, and every test is there."""
    for section in range(1, LAST_SECTION + 1):
        mine = [r for r in rows if r.chapter in (SHOWN, CLIENT)
                and r.section.split(".")[0] == str(section)]
        problems, count = [], 0
        for row in mine:
            if not row.refs():
                problems.append(f"{row} has no test")
            for ref in row.refs():
                count += 1
                wrong = tree.problem(ref)
                if wrong:
                    problems.append(f"{row}: {wrong}")
        if mine:
            report.claim(f"section {section}: {len(mine)} rows, {count} tests named", problems)
    lost = [f"{r} names no section from 1 to {LAST_SECTION}" for r in rows
            if r.chapter in (SHOWN, CLIENT, DIFFERENT, GAPS)
            and not 1 <= int(r.section.split(".")[0] or 0) <= LAST_SECTION]
    report.claim("each row says its section", lost)


def check_routes(report, tree, rows):
    """The routes of the program and those of the page are the same."""
    told = {c for r in rows if r.chapter == SHOWN and len(r.cells) == 4
            for c in CODE.findall(r.cells[2])}
    told |= {c for r in rows if r.chapter == GAPS
             for c in CODE.findall(r.cells[1]) if re.match("[A-Z]+ ", c)}
    there = tree.routes()
    problems = [f"{route} stands in no row" for route in sorted(there - told)]
    problems += [f"{route} is no route of keyvaultd" for route in sorted(told - there)]
    if not there:
        problems.append("no table of routes found in src/vaultd")
    report.claim(f"{len(there)} routes", problems)


def check_exceptions(report, tree, rows):
    """What the replay leaves out is told in the words of exceptions.json."""
    reasons = {e["reason"] for e in tree.exceptions.entries}
    told = {r.cells[-1] for r in rows if r.chapter == REPLAY}
    problems = [f"not told: {text}" for text in sorted(reasons - told)]
    problems += [f"not in exceptions.json any more: {text}" for text in sorted(told - reasons)]
    report.claim(f"{len(reasons)} reasons of the replay's exceptions", problems)


def check_gaps(report, rows):
    """Differences have a reason, and a gap says what is missing."""
    short = [f"{r} says no reason" for r in rows
             if r.chapter in (DIFFERENT, GAPS) and (len(r.cells) < 3 or not r.cells[-1])]
    kinds = [f"there is no chapter \"{c}\"" for c in (SHOWN, DIFFERENT, REPLAY, GAPS)
             if not any(r.chapter == c for r in rows)]
    report.claim("differences and gaps have their reasons", short + kinds)


def check_reference(report, reference, rows):
    """Every section of the wire reference occurs."""
    if not reference.is_file():
        print(f"SKIP fidelity sections of the reference: no {reference}")
        return
    text = reference.read_text(encoding="utf-8")
    heads = re.findall(r"^##+ (\d+(?:\.\d+)?)", text, flags=re.M)
    leaves = [h for h in heads if int(h.split(".")[0]) <= LAST_SECTION
              and not any(o.startswith(h + ".") for o in heads)]
    told = {r.section for r in rows}
    report.claim(f"{len(leaves)} sections of the reference",
                 [f"section {h} occurs nowhere" for h in leaves if h not in told])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--top", type=Path, default=HERE.parents[1])
    parser.add_argument("--doc", type=Path)
    parser.add_argument("--recordings", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--results", type=Path)
    return parser.parse_args()


def main():
    options = arguments()
    top = options.top.resolve()
    shared = top.parent / "shared"
    doc = options.doc or top / "docs/fidelity.md"
    try:
        rows = rows_of(doc.read_text(encoding="utf-8"))
        tree = Tree(top, options.recordings or shared / "recordings", options.results)
    except (OSError, ValueError, json.JSONDecodeError) as error:
        print(f"FAIL fidelity {doc}: {error}")
        return 1
    report = Report()
    if not tree.recordings:
        print("SKIP fidelity recordings: not here; scenarios are taken at their word")
    check_tests(report, tree, rows)
    check_routes(report, tree, rows)
    check_exceptions(report, tree, rows)
    check_gaps(report, rows)
    check_reference(report, options.reference or shared / "reference/key-vault-rest.md", rows)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
