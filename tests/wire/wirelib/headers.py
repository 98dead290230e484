# SPDX-License-Identifier: MIT
"""The headers of an answer: a row says which kind of server sends it, when, and in what form
(wire reference, section 8.2; what the recordings show where they keep headers)."""

import re

from .compare import Difference

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
VAULT, HSM, BOTH = ("vault",), ("managed-hsm",), ("vault", "managed-hsm")


def always(_answer, _exchange):
    return True


def on_2xx(answer, _exchange):
    return 200 <= answer.status < 300


def on_401(answer, _exchange):
    return answer.status == 401


def authorised(answer, exchange):
    """Some requests are refused before anybody is asked who may do what."""
    recorded = exchange.response["headers"]
    return on_2xx(answer, exchange) or "x-ms-keyvault-rbac-assignment-id" in recorded


def with_body(answer, _exchange):
    return bool(answer.raw)


def on_get(_answer, exchange):
    return exchange.method == "GET"


def never(_answer, _exchange):
    return False


# name, which servers, when it must be there (elsewhere it must not), form
HEADERS = [
    ("content-type", BOTH, with_body, r"application/(json|pkcs10); charset=utf-8"),
    ("x-ms-request-id", BOTH, always, UUID),
    ("x-ms-client-request-id", VAULT, always, UUID),
    ("x-ms-client-request-id", HSM, never, None),
    ("x-ms-keyvault-region", VAULT, always, r"[a-z0-9]+"),
    ("x-ms-keyvault-region", HSM, on_2xx, r"[a-z0-9]+"),
    ("x-ms-keyvault-service-version", VAULT, always, r"\d+(\.\d+){3}"),
    ("x-ms-keyvault-service-version", HSM, never, None),
    ("x-ms-keyvault-network-info", VAULT, always,
     r"conn_type=Ipv[46];addr=[0-9a-f.:]+;act_addr_fam=InterNetwork(V6)?;"),
    ("x-ms-keyvault-network-info", HSM, on_2xx,
     r"conn_type=Ipv[46];addr=[0-9a-f.:]+;act_addr_fam=Ipv[46];"),
    ("x-ms-keyvault-rbac-assignment-id", VAULT, authorised, r"[0-9a-f]{32}|" + UUID),
    ("x-ms-keyvault-rbac-assignment-id", HSM, never, None),
    ("x-ms-server-latency", VAULT, never, None),
    ("x-ms-server-latency", HSM, always, r"\d+"),
    ("cache-control", BOTH, always, r"no-cache"),
    ("pragma", VAULT, always, r"no-cache"),
    ("pragma", HSM, never, None),
    ("expires", VAULT, always, r"-1"),
    ("expires", HSM, never, None),
    ("strict-transport-security", VAULT, always, r"max-age=31536000;includeSubDomains"),
    ("strict-transport-security", HSM, always, r"max-age=31536000; includeSubDomains"),
    ("x-content-type-options", BOTH, always, r"nosniff"),
    ("x-frame-options", HSM, always, r"SAMEORIGIN"),
    ("x-frame-options", VAULT, never, None),
    ("content-security-policy", HSM, always, r"default-src 'self'"),
    ("x-ms-build-version", HSM, on_get, r"\S+"),
    ("date", VAULT, always, r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"),
    ("date", HSM, never, None),
    ("www-authenticate", BOTH, on_401,
     r'Bearer authorization="https://[^"]+", resource="https://[^"]+"'),
    ("etag", BOTH, never, None),
    ("x-powered-by", BOTH, never, None),
]


def differences(exchange, answer, base):
    """What is wrong with the answer's headers, as a list of differences."""
    found = []
    for name, kinds, when, form in HEADERS:
        if exchange.scenario.service not in kinds:
            continue
        value = answer.headers.get(name)
        if not when(answer, exchange):
            # Where the table does not ask for an optional one, only the plain "never" forbids it.
            if value is not None and when is never:
                found.append(Difference("header", name, f"not sent by the service; got {value}"))
        elif value is None:
            found.append(Difference("header", name, "missing"))
        elif not re.fullmatch(form, value):
            found.append(Difference("header", name, f"{form} expected, got {value}"))
    echo = answer.headers.get("x-ms-client-request-id")
    if echo is not None and answer.client_request_id not in (None, echo):
        found.append(Difference("header", "x-ms-client-request-id", "not the one that was sent"))
    found += _by_recording(exchange, answer, base)
    found += _activity(exchange, answer)
    return found


def _by_recording(exchange, answer, base):
    """What stands where the recorded answer had it: a type, where to look again and when."""
    recorded = exchange.response["headers"]
    found = []
    if answer.status != exchange.status:
        return found
    kind = recorded.get("content-type", "")
    if kind.startswith("application/") and answer.headers.get("content-type") != kind:
        found.append(Difference("header", "content-type", f"{kind} expected"))
    if "location" in recorded:
        value = answer.headers.get("location", "")
        path = recorded["location"].split("?")[0].split("/", 3)[-1]
        if not value.startswith(f"{base}/{path}?") or "api-version=" not in value:
            found.append(Difference("header", "location", f"{base}/{path}?… expected: {value}"))
    retry = answer.headers.get("retry-after", "")
    if "retry-after" in recorded and not re.fullmatch(r"\d+", retry):
        found.append(Difference("header", "retry-after", "seconds expected"))
    if "azure-asyncoperation" in recorded and "azure-asyncoperation" not in answer.headers:
        found.append(Difference("header", "azure-asyncoperation", "missing"))
    return found


def _activity(exchange, answer):
    """A Managed HSM's message ends in the request id that the header has."""
    if exchange.scenario.service != "managed-hsm" or not isinstance(answer.body, dict):
        return []
    error = answer.body.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    match = re.search(r"\(Activity ID: ([^)]*)\)", message or "")
    if match and match.group(1) != answer.headers.get("x-ms-request-id"):
        return [Difference("value", "error.message", "Activity ID is not x-ms-request-id")]
    return []
