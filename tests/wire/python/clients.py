# SPDX-License-Identifier: MIT
"""Microsoft's Python clients, as Debian packages them, against keyvaultd; ./run prepares them.

What sdk/ does, by other code of the same maker and of an older age: a real MSAL, other local
cryptography, and the administration clients of a Managed HSM.
"""

import datetime
import hashlib
import os
import sys
import time
import traceback
import uuid
from pathlib import Path

import msal
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.administration import (
    KeyVaultAccessControlClient, KeyVaultBackupClient, KeyVaultDataAction, KeyVaultPermission,
    KeyVaultRoleScope)
from azure.keyvault.certificates import (
    AdministratorContact, CertificateClient, CertificateContact, CertificatePolicy,
    WellKnownIssuerNames)
from azure.keyvault.keys import (
    JsonWebKey, KeyClient, KeyRotationLifetimeAction, KeyRotationPolicy, KeyRotationPolicyAction)
from azure.keyvault.keys.crypto import (
    CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm)
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FAILED = []


def check(name, body):
    """One check; its result is handed on, None after a failure."""
    try:
        result = body()
    except Exception as error:  # whatever a client raises is this check's failure
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = " | ".join(f"{type(error).__name__}: {error}".split("\n"))
        print(f"FAIL python {name}: {text} ({Path(where.filename).name}:{where.lineno})")
        FAILED.append(name)
        return None
    print(f"PASS python {name}")
    return result


def refused(kind, status, call):
    try:
        call()
    except kind as error:
        assert error.status_code == status, f"{error.status_code} instead of {status}"
        return error
    raise AssertionError("not refused")


def absent(call):
    return refused(ResourceNotFoundError, 404, call)


class Credential:
    """Tokens by MSAL, from the authority that keyvaultd's configuration names."""

    def __init__(self, conf):
        self.application = msal.ConfidentialClientApplication(
            conf["client_id"], client_credential=conf["client_secret"],
            authority=f"{conf['authority'].rstrip('/')}/{conf['tenant']}", instance_discovery=False)

    def get_token(self, *scopes, **_options):
        answer = self.application.acquire_token_for_client(list(scopes))
        if "access_token" not in answer:
            raise RuntimeError(f"no token: {answer}")
        return AccessToken(answer["access_token"], int(time.time()) + answer["expires_in"])


def conf(directory):
    values = {}
    for line in Path(directory, "kvpkcs11.conf").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        values[key.strip()] = value.split(" ;")[0].strip()
    if "client_secret" not in values:
        values["client_secret"] = Path(directory, values["client_secret_file"]).read_text().strip()
    return values


OPTIONS = {"verify_challenge_resource": False, "retry_total": 0}
VAULT, HSM = os.environ["WIRE_VAULT_URL"], os.environ["WIRE_HSM_URL"]
vault_credential = Credential(conf(os.environ["WIRE_VAULT_DATA"]))
hsm_credential = Credential(conf(os.environ["WIRE_HSM_DATA"]))


def keys():
    client = KeyClient(VAULT, vault_credential, **OPTIONS)

    def made():
        key = client.create_rsa_key("py-rsa", size=2048, tags={"a": "b"})
        assert len(key.key.n) == 256 and key.properties.tags == {"a": "b"}
        assert client.get_key("py-rsa").id == key.id
        return key

    def life():
        first = client.create_ec_key("py-life", curve="P-521")
        second = client.create_ec_key("py-life")
        versions = [p.version for p in client.list_properties_of_key_versions("py-life")]
        assert sorted(versions) == sorted([first.properties.version, second.properties.version])
        client.update_key_properties("py-life", enabled=False)
        assert client.get_key("py-life").properties.enabled is False
        backup = client.backup_key("py-life")
        client.begin_delete_key("py-life", _polling_interval=0.1).result()
        refused(ResourceExistsError, 409, lambda: client.create_ec_key("py-life"))
        assert client.get_deleted_key("py-life").recovery_id == f"{VAULT}/deletedkeys/py-life"
        client.begin_recover_deleted_key("py-life", _polling_interval=0.1).result()
        client.begin_delete_key("py-life", _polling_interval=0.1).result()
        client.purge_deleted_key("py-life")
        absent(lambda: client.get_deleted_key("py-life"))
        assert client.restore_key_backup(backup).id == second.id

    def rotation():
        client.create_rsa_key("py-rotate")
        action = KeyRotationLifetimeAction(
            KeyRotationPolicyAction.rotate, time_before_expiry="P30D")
        client.update_key_rotation_policy(
            "py-rotate", KeyRotationPolicy(), lifetime_actions=[action], expires_in="P90D")
        assert client.get_key_rotation_policy("py-rotate").expires_in == "P90D"
        assert client.rotate_key("py-rotate").properties.expires_on is not None

    def imported():
        numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
        part = {name: value.to_bytes(32, "big") for name, value in (
            ("x", numbers.public_numbers.x), ("y", numbers.public_numbers.y),
            ("d", numbers.private_value))}
        key = client.import_key("py-import", JsonWebKey(
            kty="EC", crv="P-256", key_ops=["sign", "verify"], **part))
        assert (key.key.x, key.key.y, key.key.d) == (part["x"], part["y"], None)
        assert client.get_key("py-import", key.properties.version).id == key.id

    def pages():
        names = {f"py-page-{i:02}" for i in range(60)}
        for name in names:
            client.create_ec_key(name)
        sizes = [len(list(page)) for page in client.list_properties_of_keys().by_page()]
        assert max(sizes) <= 25 and sum(sizes) >= 60, sizes
        assert names <= {p.name for p in client.list_properties_of_keys()}
        gone = sorted(names)[:30]
        for name in gone:
            client.begin_delete_key(name, _polling_interval=0.1)
        assert set(gone) <= {k.name for k in client.list_deleted_keys()}
        assert not set(gone) & {p.name for p in client.list_properties_of_keys()}

    def release():
        # What is not exportable is not released; no attestation could be good here, either.
        refused(HttpResponseError, 400, lambda: client.release_key("py-rsa", "e30.e30.e30"))

    key = check("create and get a key", made)
    check("import a key", imported)
    check("60 keys in pages, deleted ones too", pages)
    check("release of a key is refused", release)
    check("the life of a key", life)
    check("rotation", rotation)
    check("all keys", lambda: list(client.list_properties_of_keys(max_page_size=1)))
    check("no such key", lambda: absent(lambda: client.get_key("py-none")))
    if key:
        cryptography(key)
    for curve, algorithm in (("P-256", SignatureAlgorithm.es256),
                             ("P-384", SignatureAlgorithm.es384),
                             ("P-521", SignatureAlgorithm.es512),
                             ("P-256K", SignatureAlgorithm.es256_k)):
        check(f"sign {algorithm.value}", lambda c=curve, a=algorithm: signed(
            CryptographyClient(client.create_ec_key(f"py-{c}", curve=c), vault_credential,
                               **OPTIONS), a))


def signed(crypto, algorithm):
    bits = algorithm.value[2:5]
    digest = hashlib.new(f"sha{bits}", b"message").digest()
    signature = crypto.sign(algorithm, digest).signature
    # The client verifies locally, with other code.
    assert crypto.verify(algorithm, digest, signature).is_valid


def cryptography(key):
    crypto = CryptographyClient(key, vault_credential, **OPTIONS)

    def decrypt(algorithm):
        # The client encrypts locally; only decryption is the vault's.
        ciphertext = crypto.encrypt(algorithm, b"secret").ciphertext
        assert crypto.decrypt(algorithm, ciphertext).plaintext == b"secret"

    def unwrap(algorithm):
        wrapped = crypto.wrap_key(algorithm, b"k" * 32).encrypted_key
        assert crypto.unwrap_key(algorithm, wrapped).key == b"k" * 32

    for algorithm in (SignatureAlgorithm.rs256, SignatureAlgorithm.rs384, SignatureAlgorithm.rs512,
                      SignatureAlgorithm.ps256, SignatureAlgorithm.ps384, SignatureAlgorithm.ps512):
        check(f"sign {algorithm.value}", lambda a=algorithm: signed(crypto, a))
    for algorithm in (EncryptionAlgorithm.rsa1_5, EncryptionAlgorithm.rsa_oaep,
                      EncryptionAlgorithm.rsa_oaep_256):
        check(f"decrypt {algorithm.value}", lambda a=algorithm: decrypt(a))
    for algorithm in (KeyWrapAlgorithm.rsa1_5, KeyWrapAlgorithm.rsa_oaep,
                      KeyWrapAlgorithm.rsa_oaep_256):
        check(f"unwrap {algorithm.value}", lambda a=algorithm: unwrap(a))


def secrets():
    client = SecretClient(VAULT, vault_credential, **OPTIONS)

    def life():
        secret = client.set_secret("py-secret", "välue", content_type="text/plain", tags={})
        assert client.get_secret("py-secret").value == "välue"
        client.update_secret_properties("py-secret", secret.properties.version, enabled=False)
        refused(HttpResponseError, 403, lambda: client.get_secret("py-secret"))
        client.update_secret_properties("py-secret", enabled=True)
        backup = client.backup_secret("py-secret")
        client.begin_delete_secret("py-secret", _polling_interval=0.1).result()
        client.begin_recover_deleted_secret("py-secret", _polling_interval=0.1).result()
        client.begin_delete_secret("py-secret", _polling_interval=0.1).result()
        client.purge_deleted_secret("py-secret")
        client.restore_secret_backup(backup)
        assert client.get_secret("py-secret").value == "välue"
        assert [p.name for p in client.list_properties_of_secrets()] == ["py-secret"]

    def lists():
        first = client.set_secret("py-many", "1").properties.version
        second = client.set_secret("py-many", "2").properties.version
        versions = {p.version for p in client.list_properties_of_secret_versions("py-many")}
        assert versions == {first, second}
        assert client.get_secret("py-many", first).value == "1"
        client.begin_delete_secret("py-many", _polling_interval=0.1).result()
        assert client.get_deleted_secret("py-many").name == "py-many"
        assert "py-many" in [s.name for s in client.list_deleted_secrets()]

    check("the life of a secret", life)
    check("versions of a secret, and deleted secrets", lists)


def certificates():
    client = CertificateClient(VAULT, vault_credential, **OPTIONS)

    def life():
        policy = CertificatePolicy.get_default()
        poller = client.begin_create_certificate("py-cert", policy=policy, _polling_interval=0.1)
        made = poller.result()
        assert hashlib.sha1(made.cer).digest() == made.properties.x509_thumbprint
        client.update_certificate_properties("py-cert", tags={"a": "b"})
        assert client.get_certificate("py-cert").properties.tags == {"a": "b"}
        assert client.get_certificate_policy("py-cert").subject == "CN=DefaultPolicy"
        backup = client.backup_certificate("py-cert")
        client.begin_delete_certificate("py-cert", _polling_interval=0.1).result()
        client.begin_recover_deleted_certificate("py-cert", _polling_interval=0.1).result()
        client.begin_delete_certificate("py-cert", _polling_interval=0.1).result()
        client.purge_deleted_certificate("py-cert")
        assert client.restore_certificate_backup(backup).cer == made.cer

    def issuers():
        contact = AdministratorContact(first_name="a", last_name="b", email="c@d", phone="1")
        client.create_issuer("py-issuer", "Test", account_id="x", admin_contacts=[contact])
        assert client.get_issuer("py-issuer").account_id == "x"
        assert "py-issuer" in [i.name for i in client.list_properties_of_issuers()]
        assert client.update_issuer("py-issuer", account_id="y").account_id == "y"
        client.delete_issuer("py-issuer")
        absent(lambda: client.get_issuer("py-issuer"))

    def contacts():
        client.set_contacts([CertificateContact(email="a@b", name="n", phone="1")])
        assert [c.email for c in client.get_contacts()] == ["a@b"]
        client.delete_contacts()

    def lists():
        made = [client.begin_create_certificate(
            "py-list", policy=CertificatePolicy.get_default(), _polling_interval=0.1).result()
            for _ in range(2)]
        versions = {p.version for p in client.list_properties_of_certificate_versions("py-list")}
        assert versions == {c.properties.version for c in made}
        old = client.get_certificate_version("py-list", made[0].properties.version)
        assert old.cer == made[0].cer
        assert "py-list" in [p.name for p in client.list_properties_of_certificates()]
        client.update_certificate_policy("py-list", CertificatePolicy(
            issuer_name=WellKnownIssuerNames.self, subject="CN=changed", validity_in_months=3))
        assert client.get_certificate_policy("py-list").validity_in_months == 3
        client.begin_delete_certificate("py-list", _polling_interval=0.1).result()
        assert client.get_deleted_certificate("py-list").name == "py-list"
        assert "py-list" in [c.name for c in client.list_deleted_certificates()]

    def imported():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = issue(key.public_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "own")]),
                    key).public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
        made = client.import_certificate("py-own", private + pem, policy=CertificatePolicy(
            issuer_name=WellKnownIssuerNames.unknown, content_type="application/x-pem-file"))
        assert made.cer == x509.load_pem_x509_certificate(pem).public_bytes(
            serialization.Encoding.DER)

    def begun(name):
        client.begin_create_certificate(name, policy=CertificatePolicy(
            issuer_name=WellKnownIssuerNames.unknown, subject="CN=asked", key_type="RSA",
            key_size=2048), _polling_interval=0.1)
        return client.get_certificate_operation(name)

    def merged():
        request = x509.load_der_x509_csr(bytes(begun("py-merge").csr))
        made = issue(request.public_key(), request.subject, ec.generate_private_key(ec.SECP256R1()))
        der = made.public_bytes(serialization.Encoding.DER)
        assert client.merge_certificate("py-merge", [der]).cer == der
        assert client.get_certificate_operation("py-merge").status == "completed"

    def cancelled():
        # Nobody is at work on a request that waits to be merged: it is deleted, not cancelled.
        assert begun("py-cancel").status == "inProgress"
        assert client.cancel_certificate_operation("py-cancel").cancellation_requested
        assert client.delete_certificate_operation("py-cancel").csr
        absent(lambda: client.get_certificate_operation("py-cancel"))

    check("the life of a certificate", life)
    check("versions of a certificate, and deleted certificates", lists)
    check("import a certificate", imported)
    check("merge a certificate that somebody else issued", merged)
    check("cancel and delete the operation of a certificate", cancelled)
    check("issuers", issuers)
    check("contacts", contacts)


def issue(public_key, subject, authority):
    """A certificate for @public_key, signed by @authority; of itself, if that is its own key."""
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(public_key).serial_number(x509.random_serial_number())
            .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=30))
            .sign(authority, hashes.SHA256()))


def administration():
    client = KeyVaultAccessControlClient(HSM, hsm_credential, **OPTIONS)

    def definitions():
        roles = {d.role_name: d for d in client.list_role_definitions(KeyVaultRoleScope.GLOBAL)}
        assert "Managed HSM Crypto User" in roles, sorted(roles)
        return roles

    def custom():
        name = str(uuid.uuid4())
        permission = KeyVaultPermission(data_actions=[KeyVaultDataAction.READ_HSM_KEY])
        client.set_role_definition(
            KeyVaultRoleScope.GLOBAL, name=name, role_name="wire", permissions=[permission])
        read = client.get_role_definition(KeyVaultRoleScope.GLOBAL, name)
        assert read.role_name == "wire" and read.role_type == "CustomRole"
        client.delete_role_definition(KeyVaultRoleScope.GLOBAL, name)
        absent(lambda: client.get_role_definition(KeyVaultRoleScope.GLOBAL, name))

    def assignments(roles):
        name, principal = str(uuid.uuid4()), str(uuid.uuid4())
        made = client.create_role_assignment(
            KeyVaultRoleScope.KEYS, roles["Managed HSM Crypto User"].id, principal, name=name)
        assert made.properties.principal_id == principal
        assert made.properties.scope == KeyVaultRoleScope.KEYS
        assert name in [a.name for a in client.list_role_assignments(KeyVaultRoleScope.KEYS)]
        client.delete_role_assignment(KeyVaultRoleScope.KEYS, name)
        absent(lambda: client.get_role_assignment(KeyVaultRoleScope.KEYS, name))

    roles = check("role definitions of a Managed HSM", definitions)
    check("a role definition of our own", custom)
    if roles:
        check("role assignments", lambda: assignments(roles))

    def random():
        keys_client = KeyClient(HSM, hsm_credential, **OPTIONS)
        assert len(keys_client.get_random_bytes(count=32)) == 32
        return keys_client.create_oct_key("py-oct", size=256, hardware_protected=True)

    def symmetric(key):
        crypto = CryptographyClient(key, hsm_credential, **OPTIONS)
        out = crypto.encrypt(
            EncryptionAlgorithm.a256_gcm, b"plain", additional_authenticated_data=b"aad")
        back = crypto.decrypt(EncryptionAlgorithm.a256_gcm, out.ciphertext, iv=out.iv,
                              authentication_tag=out.tag, additional_authenticated_data=b"aad")
        assert back.plaintext == b"plain"

    def wrapped(key):
        crypto = CryptographyClient(key, hsm_credential, **OPTIONS)
        out = crypto.wrap_key(KeyWrapAlgorithm.aes_256, b"k" * 32)
        assert crypto.unwrap_key(KeyWrapAlgorithm.aes_256, out.encrypted_key).key == b"k" * 32

    def backup():
        backups = KeyVaultBackupClient(HSM, hsm_credential, **OPTIONS)
        refused(HttpResponseError, 400,
                lambda: backups.begin_backup("https://storage.invalid/c", "sas").result())

    key = check("random bytes and an oct key", random)
    if key:
        check("A256GCM", lambda: symmetric(key))
        check("A256KW", lambda: wrapped(key))
    check("full backup is refused", backup)


for part in (keys, secrets, certificates, administration):
    part()
sys.exit(1 if FAILED else 0)
