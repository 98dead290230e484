// SPDX-License-Identifier: MIT
// Certificates: self-signed, certified elsewhere and merged, imported; policies, issuers, contacts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate, createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytes, check, collect, finished, hex, quick, recent, refused, vault } from "./lib.mjs";

const client = vault.certificates();
const selfSigned = { issuerName: "Self", subject: "CN=wire.example" };

/** Run openssl in a directory of its own. */
function openssl(work) {
    const dir = mkdtempSync(join(tmpdir(), "kvp-wire."));
    try {
        return work(
            (...args) =>
                execFileSync("openssl", args, { cwd: dir, stdio: ["ignore", "pipe", "pipe"] }),
            (name) => readFileSync(join(dir, name)),
            (name, data) => writeFileSync(join(dir, name), data),
        );
    } finally {
        rmSync(dir, { recursive: true });
    }
}

const create = (name, policy, options = {}) =>
    finished(client.beginCreateCertificate(name, policy, { ...quick, ...options }));

async function selfSignedOnes() {
    const name = vault.name("cert");
    const made = await check("beginCreateCertificate, self-signed", async () => {
        const made = await create(
            name,
            {
                ...selfSigned,
                keyType: "RSA",
                keySize: 2048,
                validityInMonths: 6,
                subjectAlternativeNames: {
                    dnsNames: ["a.example", "b.example"],
                    emails: ["c@example"],
                },
                keyUsage: ["digitalSignature", "keyEncipherment"],
                enhancedKeyUsage: ["1.3.6.1.5.5.7.3.1"],
            },
            { tags: { t: "1" } },
        );
        const x509 = new X509Certificate(made.cer);
        assert.equal(x509.subject, "CN=wire.example");
        assert.equal(x509.issuer, "CN=wire.example");
        assert.ok(x509.verify(x509.publicKey), "not signed by itself");
        assert.match(x509.subjectAltName, /DNS:a\.example, DNS:b\.example/);
        const days = (new Date(x509.validTo) - Date.now()) / 86400000;
        assert.ok(days > 175 && days < 190, `valid for ${days} days`);
        assert.equal(
            hex(made.properties.x509Thumbprint),
            createHash("sha1").update(made.cer).digest("hex"),
        );
        assert.equal(made.policy.issuerName, "Self");
        assert.deepEqual(made.properties.tags, { t: "1" });
        assert.equal(made.keyId, `${vault.url}/keys/${name}/${made.properties.version}`);
        assert.equal(made.secretId, `${vault.url}/secrets/${name}/${made.properties.version}`);
        return made;
    });
    if (!made) return;
    await check("key and secret of a certificate", async () => {
        const key = await vault.keys().getKey(name);
        assert.equal(key.properties.managed, true);
        assert.equal(key.properties.version, made.properties.version);
        const secret = await vault.secrets().getSecret(name);
        assert.equal(secret.properties.managed, true);
        assert.equal(secret.properties.contentType, "application/x-pkcs12");
        assert.equal(secret.properties.certificateKeyId, made.keyId);
        openssl((run, read, write) => {
            write("a.pfx", Buffer.from(secret.value, "base64"));
            run("pkcs12", "-in", "a.pfx", "-passin", "pass:", "-nodes", "-out", "a.pem");
            const own = createPublicKey(createPrivateKey(read("a.pem"))).export({
                type: "spki",
                format: "der",
            });
            const shown = new X509Certificate(made.cer).publicKey.export({
                type: "spki",
                format: "der",
            });
            assert.equal(hex(own), hex(shown));
        });
    });
    await check("the key of a certificate signs", async () => {
        const digest = createHash("sha256").update("m").digest();
        const { result } = await vault.crypto(made.keyId).sign("RS256", digest);
        assert.equal(result.length, 256);
    });
    await check("secret and key of a certificate cannot be deleted alone", async () => {
        await refused(
            403,
            "Forbidden",
            () => vault.secrets().beginDeleteSecret(name, quick),
            "SecretManagedByKeyVault",
        );
        await refused(403, "Forbidden", () => vault.keys().beginDeleteKey(name, quick));
    });
    await check("versions of a certificate", async () => {
        const next = await create(name, selfSigned);
        assert.notEqual(next.properties.version, made.properties.version);
        const all = await collect(client.listPropertiesOfCertificateVersions(name));
        assert.deepEqual(
            all.map((p) => p.version),
            [made, next].map((c) => c.properties.version).sort(),
        );
        const old = await client.getCertificateVersion(name, made.properties.version);
        assert.equal(hex(old.cer), hex(made.cer));
        assert.equal(
            (await client.getCertificate(name)).properties.version,
            next.properties.version,
        );
    });
    await check("updateCertificateProperties", async () => {
        const changed = await client.updateCertificateProperties(name, made.properties.version, {
            enabled: false,
            tags: { u: "2" },
        });
        assert.equal(changed.properties.enabled, false);
        assert.deepEqual(changed.properties.tags, { u: "2" });
    });
}

async function kinds() {
    for (const curve of ["P-256", "P-384", "P-521"]) {
        await check(`an EC certificate on ${curve}`, async () => {
            const made = await create(vault.name("cert"), {
                ...selfSigned,
                keyType: "EC",
                keyCurveName: curve,
                keyUsage: ["digitalSignature"],
            });
            const x509 = new X509Certificate(made.cer);
            assert.equal(x509.publicKey.asymmetricKeyType, "ec");
            assert.ok(x509.verify(x509.publicKey));
        });
    }
    await check("a certificate as PEM", async () => {
        const name = vault.name("cert");
        const made = await create(name, { ...selfSigned, contentType: "application/x-pem-file" });
        const secret = await vault.secrets().getSecret(name);
        assert.equal(secret.properties.contentType, "application/x-pem-file");
        assert.equal(
            hex(
                new X509Certificate(secret.value.slice(secret.value.indexOf("-----BEGIN CERT")))
                    .raw,
            ),
            hex(made.cer),
        );
        assert.equal(createPrivateKey(secret.value).asymmetricKeyType, "rsa");
    });
    await check("a key that cannot be exported stays", async () => {
        const name = vault.name("cert");
        await create(name, {
            ...selfSigned,
            exportable: false,
            contentType: "application/x-pem-file",
        });
        const secret = await vault.secrets().getSecret(name);
        assert.doesNotMatch(secret.value, /PRIVATE KEY/);
        assert.match(secret.value, /BEGIN CERTIFICATE/);
    });
    await check("reuseKey", async () => {
        const name = vault.name("cert");
        const one = await create(name, { ...selfSigned, reuseKey: true });
        const two = await create(name, { ...selfSigned, reuseKey: true });
        const spki = (c) =>
            hex(new X509Certificate(c.cer).publicKey.export({ type: "spki", format: "der" }));
        assert.equal(spki(two), spki(one));
        assert.notEqual(two.properties.version, one.properties.version);
    });
}

async function merged() {
    const name = vault.name("merge");
    const poller = await check("a certificate of an unknown issuer waits", async () => {
        await client.beginCreateCertificate(
            name,
            {
                issuerName: "Unknown",
                subject: "CN=merged.example",
                certificateTransparency: false,
            },
            quick,
        );
        const waiting = await client.getCertificateOperation(name);
        const operation = waiting.getOperationState().certificateOperation;
        assert.equal(operation.status, "inProgress");
        assert.equal(
            operation.statusDetails,
            "Pending certificate created. Please Perform Merge to complete the request.",
        );
        return waiting;
    });
    if (!poller) return;
    await check("mergeCertificate", async () => {
        const { csr } = poller.getOperationState().certificateOperation;
        const leaf = openssl((run, read, write) => {
            write("csr.der", csr);
            run(
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                "ca.key",
                "-out",
                "ca.pem",
                "-subj",
                "/CN=CA",
                "-days",
                "30",
            );
            run("req", "-inform", "DER", "-in", "csr.der", "-verify", "-out", "csr.pem");
            run(
                "x509",
                "-req",
                "-in",
                "csr.pem",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "30",
                "-outform",
                "DER",
                "-out",
                "leaf.der",
            );
            return read("leaf.der");
        });
        const made = await client.mergeCertificate(name, [leaf]);
        assert.equal(hex(made.cer), hex(leaf));
        assert.equal((await poller.pollUntilDone()).properties.version, made.properties.version);
        assert.equal(
            (await vault.crypto(made.keyId).sign("RS256", createHash("sha256").digest())).result
                .length,
            256,
        );
    });
    const other = vault.name("merge");
    await check("a certificate of another key is not merged", async () => {
        await client.beginCreateCertificate(
            other,
            { issuerName: "Unknown", subject: "CN=x" },
            quick,
        );
        const leaf = openssl((run, read) => {
            run(
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                "k",
                "-outform",
                "DER",
                "-out",
                "c",
                "-subj",
                "/CN=x",
            );
            return read("c");
        });
        await refused(400, "BadParameter", () => client.mergeCertificate(other, [leaf]));
    });
    await check("cancel and delete an operation", async () => {
        const waiting = await client.getCertificateOperation(other, quick);
        await waiting.cancelOperation();
        const deleted = await client.deleteCertificateOperation(other);
        assert.equal(deleted.cancellationRequested, true);
        await refused(404, "PendingCertificateNotFound", () =>
            client.deleteCertificateOperation(other),
        );
    });
}

async function imported() {
    const files = openssl((run, read) => {
        run(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-subj",
            "/O=Wire/CN=imported.example",
            "-days",
            "100",
            "-addext",
            "subjectAltName=DNS:imported.example",
        );
        run(
            "pkcs12",
            "-export",
            "-inkey",
            "key.pem",
            "-in",
            "cert.pem",
            "-out",
            "all.pfx",
            "-passout",
            "pass:secret",
        );
        run("x509", "-in", "cert.pem", "-outform", "DER", "-out", "cert.der");
        return {
            pfx: read("all.pfx"),
            pem: Buffer.concat([read("key.pem"), read("cert.pem")]),
            der: read("cert.der"),
        };
    });
    const good = (made) => {
        assert.equal(hex(made.cer), hex(files.der));
        assert.equal(made.policy.subject.replace(/\s/g, "").includes("CN=imported.example"), true);
        assert.equal(made.policy.issuerName, "Unknown");
        assert.equal(made.policy.keySize, 2048);
        assert.equal(
            made.properties.expiresOn.getTime(),
            new Date(new X509Certificate(files.der).validTo).getTime(),
        );
    };
    await check("importCertificate, PFX with password", async () =>
        good(
            await client.importCertificate(vault.name("import"), files.pfx, { password: "secret" }),
        ),
    );
    await check("importCertificate, PEM", async () =>
        good(
            await client.importCertificate(vault.name("import"), files.pem, {
                policy: { contentType: "application/x-pem-file" },
            }),
        ),
    );
    await check("importCertificate, PFX with a wrong password", () =>
        refused(400, "BadParameter", () =>
            client.importCertificate(vault.name("import"), files.pfx, { password: "wrong" }),
        ),
    );
    await check("importCertificate of garbage", () =>
        refused(400, "BadParameter", () =>
            client.importCertificate(vault.name("import"), bytes("garbage")),
        ),
    );
}

async function policies() {
    const name = vault.name("policy");
    const made = await check("certificate for its policy", () => create(name, selfSigned));
    if (!made) return;
    await check("getCertificatePolicy", async () => {
        const policy = await client.getCertificatePolicy(name);
        assert.equal(policy.subject, "CN=wire.example");
        assert.equal(policy.keySize, 2048);
        assert.equal(policy.exportable, true);
        assert.deepEqual(defined(policy.lifetimeActions), [
            { action: "AutoRenew", lifetimePercentage: 80 },
        ]);
    });
    await check("updateCertificatePolicy", async () => {
        await client.updateCertificatePolicy(name, {
            issuerName: "Self",
            subject: "CN=changed",
            validityInMonths: 24,
            keySize: 3072,
            lifetimeActions: [{ action: "EmailContacts", daysBeforeExpiry: 30 }],
        });
        const read = await client.getCertificatePolicy(name);
        assert.equal(read.validityInMonths, 24);
        assert.equal(read.keySize, 3072);
        assert.equal(read.subject, "CN=changed");
        assert.deepEqual(defined(read.lifetimeActions), [
            { action: "EmailContacts", daysBeforeExpiry: 30 },
        ]);
    });
}

/* The client fills members that the service left out with undefined. */
function defined(value) {
    return JSON.parse(JSON.stringify(value));
}

async function issuersAndContacts() {
    const name = vault.name("issuer");
    await check("createIssuer", async () => {
        const issuer = await client.createIssuer(name, "Test", {
            accountId: "keyvaultuser",
            password: "secret",
            organizationId: "org",
            administratorContacts: [
                { firstName: "John", lastName: "Doe", email: "admin@example", phone: "4255555555" },
            ],
        });
        // This client takes the name from the wrong segment of the identifier.
        assert.equal(issuer.id, `${vault.url}/certificates/issuers/${name}`);
        assert.equal(issuer.provider, "Test");
    });
    await check("getIssuer does not show the password", async () => {
        const issuer = await client.getIssuer(name);
        assert.equal(issuer.accountId, "keyvaultuser");
        assert.equal(issuer.password, undefined);
        assert.equal(issuer.administratorContacts[0].email, "admin@example");
    });
    await check("updateIssuer and listPropertiesOfIssuers", async () => {
        const issuer = await client.updateIssuer(name, { accountId: "other", enabled: false });
        assert.equal(issuer.accountId, "other");
        const all = await collect(client.listPropertiesOfIssuers());
        assert.deepEqual(
            all.filter((i) => i.id.endsWith(`/${name}`)).map((i) => i.provider),
            ["Test"],
        );
    });
    await check("deleteIssuer", async () => {
        await client.deleteIssuer(name);
        await refused(404, "CertificateIssuerNotFound", () => client.getIssuer(name));
    });
    await check("contacts", async () => {
        await refused(404, "ContactsNotFound", () => client.getContacts());
        const contacts = [
            { email: "a@b.example", name: "a", phone: "1" },
            { email: "c@d.example" },
        ];
        const set = await client.setContacts(contacts);
        assert.equal(set.length, 2);
        assert.deepEqual(
            (await client.getContacts()).map((c) => c.email),
            ["a@b.example", "c@d.example"],
        );
        await client.deleteContacts();
        await refused(404, "ContactsNotFound", () => client.getContacts());
    });
}

async function gone() {
    const name = vault.name("gone");
    const made = await check("certificate to delete", () => create(name, selfSigned));
    if (!made) return;
    await check("beginDeleteCertificate takes key and secret along", async () => {
        const deleted = await finished(client.beginDeleteCertificate(name, quick));
        assert.equal(deleted.recoveryId, `${vault.url}/deletedcertificates/${name}`);
        recent(deleted.deletedOn);
        await refused(404, "CertificateNotFound", () => client.getCertificate(name));
        await refused(404, "KeyNotFound", () => vault.keys().getKey(name));
        await refused(404, "SecretNotFound", () => vault.secrets().getSecret(name));
        assert.equal((await client.getDeletedCertificate(name)).id, made.id);
        const all = await collect(client.listDeletedCertificates());
        assert.equal(all.filter((c) => c.name === name).length, 1);
    });
    await check("beginRecoverDeletedCertificate", async () => {
        const back = await finished(client.beginRecoverDeletedCertificate(name, quick));
        assert.equal(back.id, made.id);
        assert.equal((await vault.keys().getKey(name)).properties.version, made.properties.version);
    });
    await check("backupCertificate, purge, restoreCertificateBackup", async () => {
        const backup = await client.backupCertificate(name);
        await refused(409, "Conflict", () => client.restoreCertificateBackup(backup));
        await finished(client.beginDeleteCertificate(name, quick));
        await client.purgeDeletedCertificate(name);
        const back = await client.restoreCertificateBackup(backup);
        assert.equal(hex(back.cer), hex(made.cer));
        assert.equal(
            (await vault.crypto(made.keyId).sign("RS256", createHash("sha256").digest())).result
                .length,
            256,
        );
    });
    await check("listPropertiesOfCertificates", async () => {
        const all = await collect(client.listPropertiesOfCertificates());
        const mine = all.find((p) => p.name === name);
        assert.equal(hex(mine.x509Thumbprint), hex(made.properties.x509Thumbprint));
    });
    await check("a certificate that does not exist", () =>
        refused(404, "CertificateNotFound", () => client.getCertificate("nothing")),
    );
}

export async function run() {
    await selfSignedOnes();
    await kinds();
    await merged();
    await imported();
    await policies();
    await issuersAndContacts();
    await gone();
}
