# SPDX-License-Identifier: MIT
"""Microsoft's Python clients, as Debian packages them, against keyvaultd; ./run prepares them.

In short what sdk/ does at length: other code of the same maker, a real MSAL, an older age, and the
administration client of a Managed HSM.
"""

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
    KeyVaultAccessControlClient, KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope)
from azure.keyvault.certificates import (
    AdministratorContact, CertificateClient, CertificateContact, CertificatePolicy)
from azure.keyvault.keys import (
    KeyClient, KeyRotationLifetimeAction, KeyRotationPolicy, KeyRotationPolicyAction)
from azure.keyvault.keys.crypto import (
    CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm)
from azure.keyvault.secrets import SecretClient

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

    key = check("create and get a key", made)
    check("the life of a key", life)
    check("rotation", rotation)
    check("all keys", lambda: list(client.list_properties_of_keys(max_page_size=1)))
    check("no such key", lambda: absent(lambda: client.get_key("py-none")))
    if key:
        cryptography(key)


def cryptography(key):
    crypto = CryptographyClient(key, vault_credential, **OPTIONS)
    digest = hashlib.sha256(b"message").digest()

    def sign(algorithm):
        signature = crypto.sign(algorithm, digest).signature
        # The client verifies locally, with other code.
        assert crypto.verify(algorithm, digest, signature).is_valid

    def decrypt(algorithm):
        # The client encrypts locally; only decryption is the vault's.
        ciphertext = crypto.encrypt(algorithm, b"secret").ciphertext
        assert crypto.decrypt(algorithm, ciphertext).plaintext == b"secret"

    def unwrap(algorithm):
        wrapped = crypto.wrap_key(algorithm, b"k" * 32).encrypted_key
        assert crypto.unwrap_key(algorithm, wrapped).key == b"k" * 32

    for algorithm in (SignatureAlgorithm.rs256, SignatureAlgorithm.ps256):
        check(f"sign {algorithm.value}", lambda a=algorithm: sign(a))
    for algorithm in (EncryptionAlgorithm.rsa1_5, EncryptionAlgorithm.rsa_oaep,
                      EncryptionAlgorithm.rsa_oaep_256):
        check(f"decrypt {algorithm.value}", lambda a=algorithm: decrypt(a))
    for algorithm in (KeyWrapAlgorithm.rsa_oaep, KeyWrapAlgorithm.rsa_oaep_256):
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

    check("the life of a secret", life)


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
        client.delete_issuer("py-issuer")
        absent(lambda: client.get_issuer("py-issuer"))

    def contacts():
        client.set_contacts([CertificateContact(email="a@b", name="n", phone="1")])
        assert [c.email for c in client.get_contacts()] == ["a@b"]
        client.delete_contacts()

    check("the life of a certificate", life)
    check("issuers", issuers)
    check("contacts", contacts)


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

    key = check("random bytes and an oct key", random)
    if key:
        check("A256GCM", lambda: symmetric(key))


for part in (keys, secrets, certificates, administration):
    part()
sys.exit(1 if FAILED else 0)
