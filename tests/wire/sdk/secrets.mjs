// SPDX-License-Identifier: MIT
// Secrets: every operation of the secret client.
import assert from "node:assert/strict";
import { check, collect, finished, quick, recent, refused, vault } from "./lib.mjs";

const client = vault.secrets();

async function values() {
    const name = vault.name("secret");
    const notBefore = new Date(1000 * 1700000000);
    const expiresOn = new Date(1000 * 1999999999);
    const first = await check("setSecret", async () => {
        const secret = await client.setSecret(name, "välue \u{1f511}", {
            tags: { a: "b" },
            notBefore,
            expiresOn,
            enabled: true,
        });
        assert.equal(secret.value, "välue \u{1f511}");
        assert.equal(
            secret.properties.id,
            `${vault.url}/secrets/${name}/${secret.properties.version}`,
        );
        assert.match(secret.properties.version, /^[0-9a-f]{32}$/);
        // This client has an option contentType and does not send it: unit tests show that one.
        assert.deepEqual(secret.properties.tags, { a: "b" });
        assert.deepEqual(secret.properties.notBefore, notBefore);
        assert.deepEqual(secret.properties.expiresOn, expiresOn);
        recent(secret.properties.createdOn);
        return secret;
    });
    const second = await check("setSecret again makes a version", () =>
        client.setSecret(name, "second"),
    );
    if (!first || !second) return;
    await check("getSecret", async () => {
        assert.equal((await client.getSecret(name)).value, "second");
        const old = await client.getSecret(name, { version: first.properties.version });
        assert.equal(old.value, first.value);
    });
    await check("an empty value and one of 25 kB", async () => {
        const empty = vault.name("secret");
        await client.setSecret(empty, "");
        assert.equal((await client.getSecret(empty)).value, "");
        const long = "x".repeat(25600);
        await client.setSecret(empty, long);
        assert.equal((await client.getSecret(empty)).value, long);
        await refused(400, "BadParameter", () => client.setSecret(empty, long + "x"));
    });
    await check("updateSecretProperties", async () => {
        const changed = await client.updateSecretProperties(name, second.properties.version, {
            tags: { c: "d" },
            enabled: false,
        });
        assert.deepEqual(changed.tags, { c: "d" });
        assert.equal(changed.enabled, false);
        await refused(403, "Forbidden", () => client.getSecret(name), "SecretDisabled");
        await client.updateSecretProperties(name, second.properties.version, { enabled: true });
        const read = await client.getSecret(name);
        assert.deepEqual(read.properties.tags, { c: "d" });
    });
    await check("listPropertiesOfSecretVersions", async () => {
        const all = await collect(client.listPropertiesOfSecretVersions(name));
        assert.deepEqual(
            all.map((p) => p.version),
            [first, second].map((s) => s.properties.version).sort(),
        );
        assert.ok(all.every((p) => p.value === undefined));
    });
}

async function gone() {
    const name = vault.name("secret");
    const secret = await check("secret to delete", () => client.setSecret(name, "value"));
    if (!secret) return;
    await check("beginDeleteSecret", async () => {
        const deleted = await finished(client.beginDeleteSecret(name, quick));
        assert.equal(deleted.value, undefined, "the value came back");
        assert.equal(deleted.properties.recoveryId, `${vault.url}/deletedsecrets/${name}`);
        recent(deleted.properties.deletedOn);
    });
    await check("a deleted secret cannot be read or set", async () => {
        await refused(404, "SecretNotFound", () => client.getSecret(name));
        await refused(
            409,
            "Conflict",
            () => client.setSecret(name, "x"),
            "ObjectIsDeletedButRecoverable",
        );
    });
    await check("getDeletedSecret and listDeletedSecrets", async () => {
        assert.equal((await client.getDeletedSecret(name)).properties.id, secret.properties.id);
        const all = await collect(client.listDeletedSecrets());
        assert.equal(all.filter((s) => s.name === name).length, 1);
    });
    await check("beginRecoverDeletedSecret", async () => {
        await finished(client.beginRecoverDeletedSecret(name, quick));
        assert.equal((await client.getSecret(name)).value, "value");
    });
    await check("backupSecret, purgeDeletedSecret, restoreSecretBackup", async () => {
        const backup = await client.backupSecret(name);
        await refused(409, "Conflict", () => client.restoreSecretBackup(backup));
        await finished(client.beginDeleteSecret(name, quick));
        await client.purgeDeletedSecret(name);
        const restored = await client.restoreSecretBackup(backup);
        assert.equal(restored.version, secret.properties.version);
        assert.equal((await client.getSecret(name)).value, "value");
        await refused(400, "Malformed backup blob", () =>
            client.restoreSecretBackup(new Uint8Array(500)),
        );
    });
}

async function paging() {
    const names = [];
    await check("60 secrets", async () => {
        for (let i = 0; i < 60; i += 1) {
            names.push((await client.setSecret(`page-${String(i).padStart(2, "0")}`, "v")).name);
        }
    });
    await check("60 secrets are listed over pages", async () => {
        const found = [];
        for await (const page of client.listPropertiesOfSecrets().byPage({ maxPageSize: 11 })) {
            assert.ok(page.length <= 11);
            found.push(...page.map((p) => p.name));
        }
        assert.deepEqual(
            found.filter((n) => n.startsWith("page-")),
            names,
        );
    });
}

export async function run() {
    await values();
    await gone();
    await paging();
    await check("a secret that does not exist", async () => {
        const error = await refused(404, "SecretNotFound", () => client.getSecret("nothing"));
        assert.match(
            error.message,
            /^A secret with \(name\/id\) nothing was not found in this key vault\. /,
        );
    });
}
