// SPDX-License-Identifier: MIT
// Who may do what: wrong secrets, roles that do not suffice, bad names and versions.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { bytes, check, refused, vault } from "./lib.mjs";

/** A new principal of the vault with these roles only: its credential. */
function principal(name, ...roles) {
    const args = ["--data", vault.dir, "principal", "add", name];
    for (const role of roles) args.push("--role", role);
    const text = execFileSync(join(process.env.BUILD, "keyvaultd"), args, { encoding: "utf8" });
    const value = (key) => new RegExp(`^\\s*${key}\\s*[=:]?\\s+(\\S+)`, "m").exec(text)?.[1];
    const [id, secret] = [value("client_id"), value("client_secret")];
    assert.ok(id && secret, `keyvaultd principal add says: ${text}`);
    return vault.credential(id, secret);
}

async function credentials() {
    await check("a wrong client secret", async () => {
        const client = vault.keys(vault.credential(vault.conf.client_id, "wrong"));
        await assert.rejects(
            () => client.getKey("x"),
            (e) => /7000215|invalid_client/.test(e.message),
        );
    });
    await check("an unknown client", async () => {
        const client = vault.keys(vault.credential("00000000-0000-4000-8000-000000000000", "x"));
        await assert.rejects(
            () => client.getKey("x"),
            (e) => /700016|unauthorized_client/.test(e.message),
        );
    });
    await check("a token that was never issued", async () => {
        const never = {
            getToken: async () => ({
                token: "x".repeat(43),
                expiresOnTimestamp: Date.now() + 3600000,
            }),
        };
        await refused(401, "Unauthorized", () => vault.keys(never).getKey("x"));
    });
    await check("a token for the wrong resource", async () => {
        const wrong = {
            getToken: () => vault.admin.getToken("https://management.azure.com/.default"),
        };
        await assert.rejects(
            () => vault.keys(wrong).getKey("x"),
            (e) => e.statusCode === 401 || /AADSTS/.test(e.message),
        );
    });
}

async function roles() {
    const name = vault.name("role");
    await check("key for roles", () => vault.keys().createRsaKey(name));
    await check("a crypto user signs but does not create, delete or read secrets", async () => {
        const user = await principal("crypto-user", "Key Vault Crypto User");
        const keys = vault.keys(user);
        const key = await keys.getKey(name);
        assert.equal(
            (await vault.crypto(key, user).sign("RS256", new Uint8Array(32))).result.length,
            256,
        );
        const error = await refused(
            403,
            "Forbidden",
            () => keys.createRsaKey(vault.name("role")),
            "ForbiddenByRbac",
        );
        assert.match(
            error.message,
            /^Caller is not authorized to perform action on resource\.\r\n/,
        );
        assert.match(error.message, /Action: 'Microsoft\.KeyVault\/vaults\/keys\/create\/action'/);
        await refused(403, "Forbidden", () => keys.beginDeleteKey(name), "ForbiddenByRbac");
        await refused(
            403,
            "Forbidden",
            () => vault.secrets(user).getSecret("x"),
            "ForbiddenByRbac",
        );
        await refused(
            403,
            "Forbidden",
            () => vault.certificates(user).getCertificate("x"),
            "ForbiddenByRbac",
        );
    });
    await check("a reader reads and uses nothing", async () => {
        const reader = await principal("reader", "Key Vault Reader");
        const key = await vault.keys(reader).getKey(name);
        const crypto = vault.crypto(key, reader);
        await refused(
            403,
            "Forbidden",
            () => crypto.sign("RS256", new Uint8Array(32)),
            "ForbiddenByRbac",
        );
        await refused(
            403,
            "Forbidden",
            () => crypto.decrypt({ algorithm: "RSA-OAEP", ciphertext: new Uint8Array(256) }),
            "ForbiddenByRbac",
        );
        assert.ok(
            (await crypto.encrypt({ algorithm: "RSA-OAEP", plaintext: bytes("public") })).result,
            "the public key is readable, so encrypt passes",
        );
    });
    await check("a secrets user reads secrets and sets none", async () => {
        const user = await principal("secrets-user", "Key Vault Secrets User");
        const secret = vault.name("role");
        await vault.secrets().setSecret(secret, "v");
        assert.equal((await vault.secrets(user).getSecret(secret)).value, "v");
        await refused(
            403,
            "Forbidden",
            () => vault.secrets(user).setSecret(secret, "w"),
            "ForbiddenByRbac",
        );
        await refused(403, "Forbidden", () => vault.keys(user).getKey(name), "ForbiddenByRbac");
    });
}

async function requests() {
    const client = vault.keys();
    await check("a bad name", async () => {
        const error = await refused(400, "BadParameter", () => client.createRsaKey("bad_name"));
        assert.equal(error.message, "The request URI contains an invalid name: bad_name");
    });
    await check("a name of 127 characters, and of 128", async () => {
        const name = "n".repeat(127);
        assert.equal((await client.createEcKey(name)).name, name);
        await refused(400, "BadParameter", () => client.createEcKey(name + "n"));
    });
    await check("an unsupported key size", async () => {
        const error = await refused(400, "BadParameter", () =>
            client.createRsaKey(vault.name("size"), { keySize: 1024 }),
        );
        assert.match(error.message, /Unsupported key size/);
    });
    await check("an unknown key type", () =>
        refused(400, "BadParameter", () => client.createKey(vault.name("kty"), "WAT")),
    );
    await check("an api-version of another age", async () => {
        const { KeyClient } = await import("@azure/keyvault-keys");
        const old = new KeyClient(vault.url, vault.admin, {
            ...vault.options(),
            serviceVersion: "7.9",
        });
        const error = await refused(400, "BadParameter", () => old.getKey("x"));
        assert.match(
            error.message,
            /^The specified version \(7\.9\) is not recognized\. Consider using the latest/,
        );
    });
    await check("an unknown version of a key", async () => {
        const name = vault.name("known");
        await client.createEcKey(name);
        await refused(404, "KeyNotFound", () => client.getKey(name, { version: "0".repeat(32) }));
    });
}

export async function run() {
    await credentials();
    await roles();
    await requests();
}
