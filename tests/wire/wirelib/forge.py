# SPDX-License-Identifier: MIT
"""What clients made themselves when the traffic was recorded, made again for this server's keys.

A recorded client encrypted with the recorded public key, or had the recorded CSR certified; for the
keys that this server made, ciphertext and certificate must be new. Plain arithmetic for RSA (the
standard library has no more), the openssl program for certificates.
"""

import base64
import hashlib
import os
import subprocess
import tempfile
import time
from pathlib import Path


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def mgf1(hash_name, seed, length):
    out = b""
    for counter in range(-(-length // hashlib.new(hash_name).digest_size)):
        out += hashlib.new(hash_name, seed + counter.to_bytes(4, "big")).digest()
    return out[:length]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def pad_oaep(hash_name, message, size):
    """RFC 8017, section 7.1.1, empty label."""
    label = hashlib.new(hash_name).digest()
    length = len(label)
    block = label + bytes(size - len(message) - 2 * length - 2) + b"\1" + message
    seed = os.urandom(length)
    masked = xor(block, mgf1(hash_name, seed, len(block)))
    return b"\0" + xor(seed, mgf1(hash_name, masked, length)) + masked


def pad_pkcs1(message, size):
    """RFC 8017, section 7.2.1."""
    filler = bytes(1 + b % 255 for b in os.urandom(size - len(message) - 3))
    return b"\0\2" + filler + b"\0" + message


def rsa_encrypt(algorithm, key, message):
    """Base64url of `message` encrypted with the public key of a bundle's `key`."""
    n = int.from_bytes(unb64url(key["n"]), "big")
    e = int.from_bytes(unb64url(key["e"]), "big")
    size = (n.bit_length() + 7) // 8
    padded = {
        "RSA1_5": lambda: pad_pkcs1(message, size),
        "RSA-OAEP": lambda: pad_oaep("sha1", message, size),
        "RSA-OAEP-256": lambda: pad_oaep("sha256", message, size),
    }[algorithm]()
    return b64url(pow(int.from_bytes(padded, "big"), e, n).to_bytes(size, "big"))


CA_CONF = """
[ca]
default_ca = replay
[replay]
new_certs_dir = {work}
database = {work}/index
serial = {work}/serial
default_md = sha256
policy = anything
[anything]
commonName = optional
"""


def certify(csr, not_before, not_after):
    """Base64 DER of a certificate for a CSR (base64 DER) with that validity (Unix seconds)."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "csr.der").write_bytes(base64.b64decode(csr))
        (work / "index").touch()
        (work / "serial").write_text("01\n")
        (work / "ca.conf").write_text(CA_CONF.format(work=work))
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", work / "ca.key",
                 "-out", work / "ca.pem", "-subj", "/CN=Replay CA", "-days", "30")
        _openssl("req", "-inform", "DER", "-in", work / "csr.der", "-out", work / "csr.pem")
        _openssl("ca", "-batch", "-notext", "-config", work / "ca.conf", "-cert", work / "ca.pem",
                 "-keyfile", work / "ca.key", "-in", work / "csr.pem", "-out", work / "leaf.pem",
                 "-startdate", asn1_time(not_before), "-enddate", asn1_time(not_after))
        _openssl("x509", "-in", work / "leaf.pem", "-outform", "DER", "-out", work / "leaf.der")
        return base64.b64encode((work / "leaf.der").read_bytes()).decode()


def asn1_time(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
