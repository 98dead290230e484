#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: vectors.py DIR: the official test vectors in DIR (python3-cryptography-vectors of Debian) as
lines for test_vectors, `KIND FIELD...`: names, and bytes in hexadecimal, `-` for none. The files are
read where they are. Where they hold thousands of one kind, every so many of each section is taken.
"""
import base64
import json
import os
import re
import sys

TOP = sys.argv[1] if len(sys.argv) > 1 else ""


def path(*parts):
    return os.path.join(TOP, *parts)


def records(name):
    """The records `name = value` of a response file, dictionaries; those above them in square
    brackets under `section`. What comes before a section's first message goes with all of them,
    and the numbers of a key with those that follow."""
    sticky = {"n", "e", "d", "p", "q"}
    messages = {"Msg", "COUNT", "Count", "Len", "MD"}
    section, common, record, in_head = "", {}, {}, False
    with open(name, encoding="latin-1") as file:
        for line in list(file) + ["\n"]:
            line = line.strip()
            if line.startswith("["):
                section = section + line if in_head else line
                common = common if in_head else {}
                in_head = True
            elif line == "FAIL":
                record["FAIL"] = ""
            elif "=" in line and not line.startswith("#"):
                key, value = (part.strip() for part in line.split("=", 1))
                record[key] = value
                in_head = False
            elif not line:
                if messages & record.keys():
                    yield {**common, **record, "section": section}
                    record = {key: record[key] for key in sticky & record.keys()}
                common.update(record)
                record = {}


def spaced(name):
    """The blocks of the RSA Laboratories files: a title line `# Title:` or `# Title`, and the
    hexadecimal lines below it, in order: pairs (title, bytes)."""
    title, digits = None, ""
    with open(name, encoding="latin-1") as file:
        for line in list(file) + ["# end"]:
            line = line.strip()
            if line.startswith("#"):
                if title and digits:
                    yield title, bytes.fromhex(("0" if len(digits) % 2 else "") + digits)
                title, digits = line.strip("# :").lower(), ""
            elif re.fullmatch(r"[0-9a-fA-F ]+", line):
                digits += line.replace(" ", "")


def put(kind, *fields):
    def show(field):
        if isinstance(field, bytes):
            return field.hex() or "-"
        return str(field) or "-"
    print(kind, *(show(field) for field in fields))


def number(value):
    """Of a hexadecimal string or bytes, without leading zeros."""
    value = value if isinstance(value, bytes) else bytes.fromhex(("0" if len(value) % 2 else "") + value)
    return value.lstrip(b"\0")


def b64(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


imported = {}


def import_rsa(n, e, d, p, q):
    """A key that keyvaultd is to have; its name."""
    ident = n + e
    if ident not in imported:
        as_int = [int.from_bytes(x, "big") for x in (d, p, q)]
        size = len(p)

        def octets(x):
            return x.to_bytes(max(size, (x.bit_length() + 7) // 8), "big").lstrip(b"\0")
        d_, p_, q_ = as_int
        imported[ident] = "vector-%d" % len(imported)
        put("import", imported[ident], json.dumps({
            "kty": "RSA", "n": b64(n), "e": b64(e), "d": b64(d.lstrip(b"\0")), "p": b64(p), "q": b64(q),
            "dp": b64(octets(d_ % (p_ - 1))), "dq": b64(octets(d_ % (q_ - 1))),
            "qi": b64(octets(pow(q_, -1, p_)))}, separators=(",", ":")))
    return imported[ident]


def import_ec(curve, width, x, y, d):
    name = "vector-%d" % len(imported)
    imported[x] = name
    put("import", name, json.dumps({
        "kty": "EC", "crv": curve, "x": b64(x.rjust(width, b"\0")), "y": b64(y.rjust(width, b"\0")),
        "d": b64(d.rjust(width, b"\0"))}, separators=(",", ":")))
    return name


def hashes():
    for family, names in (("SHA1", ["SHA1"]), ("SHA2", ["SHA224", "SHA256", "SHA384", "SHA512"]),
                          ("SHA3", ["SHA3_224", "SHA3_256", "SHA3_384", "SHA3_512"])):
        for name in names:
            for length in ("Short", "Long"):
                for i, r in enumerate(records(path("hashes", family, name + length + "Msg.rsp"))):
                    if "Msg" in r and (length == "Short" or i % 4 == 0):
                        bits = int(r["Len"])
                        put("digest", name.replace("_", "-"), bytes.fromhex(r["Msg"])[:bits // 8],
                            bytes.fromhex(r["MD"]))


def hmacs():
    files = [("SHA1", "rfc-2202-sha1.txt")]
    files += [("SHA%d" % n, "rfc-4231-sha%d.txt" % n) for n in (224, 256, 384, 512)]
    for name, file in files:
        for r in records(path("HMAC", file)):
            if "MD" in r:
                put("hmac", name, *(bytes.fromhex(r[key]) for key in ("Key", "Msg", "MD")))


def aes():
    folder = path("ciphers", "AES", "CBC")
    for file in sorted(os.listdir(folder)):
        for i, r in enumerate(records(os.path.join(folder, file))):
            if "Var" in file and i % 4:
                continue
            put("cbc", *(bytes.fromhex(r[key]) for key in ("KEY", "IV", "PLAINTEXT", "CIPHERTEXT")))
    folder = path("ciphers", "AES", "GCM")
    for file in sorted(os.listdir(folder)):
        for r in records(os.path.join(folder, file)):
            if int(r["Count"]) > 1 and "FAIL" not in r:
                continue
            if int(r["Count"]) > 4:
                continue
            put("gcm", *(bytes.fromhex(r[key]) for key in ("Key", "IV", "AAD", "CT", "Tag")),
                "fail" if "FAIL" in r else bytes.fromhex(r.get("PT", "")))


def keywrap():
    folder = path("keywrap", "kwtestvectors")
    for kind in ("KW", "KWP"):
        for way in ("AE", "AD"):
            for size in ("128", "192", "256"):
                for r in records(os.path.join(folder, "%s_%s_%s.txt" % (kind, way, size))):
                    if int(r["COUNT"]) % 10 < 2:
                        put(kind.lower(), bytes.fromhex(r["K"]), bytes.fromhex(r["C"]),
                            "fail" if "FAIL" in r else bytes.fromhex(r["P"]))


def rsa_signatures():
    folder = path("asymmetric", "RSA", "FIPS_186-2")
    for file, kind, salt in (("SigGen15_186-2.rsp", "rsa", 0), ("SigGen15_186-3.rsp", "rsa", 0),
                             ("SigVer15_186-3.rsp", "rsa", 0), ("SigGenPSS_186-2.rsp", "pss", 20),
                             ("SigGenPSS_186-3.rsp", "pss", 0), ("SigVerPSS_186-3.rsp", "pss", 10)):
        signed = set()
        for r in records(os.path.join(folder, file)):
            n, e = number(r["n"]), number(r["e"])
            good = r.get("Result", "P")[0]
            put(kind + "-verify", r["SHAAlg"], n, e, bytes.fromhex(r["Msg"]), bytes.fromhex(r["S"]),
                salt, good)
            # One private key a size, and what it signed.
            if file == "SigVer15_186-3.rsp" and good == "P" and len(n) >= 256:
                if len(n) not in signed and n + e not in imported:
                    signed.add(len(n))
                    import_rsa(n, e, bytes.fromhex(r["d"]), number(r["p"]), number(r["q"]))
                if n + e in imported:
                    put("rsa-sign", r["SHAAlg"], imported[n + e], bytes.fromhex(r["Msg"]),
                        bytes.fromhex(r["S"]))


def rsa_laboratories(name, kind, algorithm, sizes):
    """Files with a key, then its messages and what became of them."""
    parts, key, message = {}, None, None
    for title, value in spaced(name):
        if title.startswith("modulus"):
            parts, key = {"modulus": value}, None
        elif title.startswith("message"):
            message = value
        elif title.startswith(("signature", "encryption")):
            n = number(parts["modulus"])
            if len(n) not in sizes:
                continue
            if key is None:
                key = import_rsa(n, number(parts["public exponent"]), parts["exponent"],
                                 number(parts["prime 1"]), number(parts["prime 2"]))
            put(kind, algorithm, key, message, value)
        else:
            parts[title] = value


def rsa_encryption():
    folder = path("asymmetric", "RSA")
    rsa_laboratories(os.path.join(folder, "pkcs1v15sign-vectors.txt"), "rsa-sign", "SHA1", {256})
    rsa_laboratories(os.path.join(folder, "pkcs1v15crypt-vectors.txt"), "rsa-decrypt", "PKCS1", {256})
    rsa_laboratories(os.path.join(folder, "pkcs-1v2-1d2-vec", "oaep-vect.txt"), "rsa-decrypt", "SHA1",
                     {256})
    rsa_laboratories(os.path.join(folder, "oaep-custom", "oaep-sha256-sha256.txt"), "rsa-decrypt",
                     "SHA256", {256})


CURVES = {"P-256": ("P-256", 32), "P-384": ("P-384", 48), "P-521": ("P-521", 66), "K-256": ("P-256K", 32)}


def ecdsa():
    folder = path("asymmetric", "ECDSA")
    for file in ("FIPS_186-3/SigVer.rsp", "FIPS_186-3/SigGen.txt", "SECP256K1/SigGen.txt"):
        mine = {}
        counts = {}
        for r in records(os.path.join(folder, file)):
            found = re.match(r"\[(\S+),SHA-(\d+)\]", r["section"])
            if not found or found.group(1) not in CURVES or "R" not in r:
                continue
            count = counts[r["section"]] = counts.get(r["section"], 0) + 1
            if file.startswith("SECP") and count > 15:
                continue
            curve, width = CURVES[found.group(1)]
            x, y, sig_r, sig_s = (number(r[key]).rjust(width, b"\0") for key in ("Qx", "Qy", "R", "S"))
            message = bytes.fromhex(r["Msg"])
            put("ecdsa-verify", "SHA" + found.group(2), curve, x, y, message, sig_r + sig_s,
                r.get("Result", "P")[0])
            # One private key a curve; the nonce is the vault's, so its signatures are verified.
            if "d" in r and curve not in mine:
                mine[curve] = import_ec(curve, width, x, y, number(r["d"]))
            if "d" in r and count <= 1:
                put("ecdsa-sign", "SHA" + found.group(2), mine[curve], message)


for make in (hashes, hmacs, aes, keywrap, rsa_signatures, rsa_encryption, ecdsa):
    make()
