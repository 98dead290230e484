#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# OpenSC's pkcs11-tool: slots, mechanisms, objects, key generation, signatures of every mechanism
# verified by OpenSSL with the public key read from the token, decryption, and its own --test.
. "$(dirname "$0")/lib.sh"
begin

tool() { pkcs11-tool --module "$module" "$@"; }

says 'lists the slot' 'token label *: dev' tool --list-slots
for mechanism in RSA-PKCS SHA1-RSA-PKCS SHA224-RSA-PKCS SHA256-RSA-PKCS SHA384-RSA-PKCS \
    SHA512-RSA-PKCS RSA-PKCS-PSS SHA256-RSA-PKCS-PSS SHA384-RSA-PKCS-PSS SHA512-RSA-PKCS-PSS \
    RSA-PKCS-OAEP ECDSA ECDSA-SHA1 ECDSA-SHA224 ECDSA-SHA256 ECDSA-SHA384 ECDSA-SHA512; do
    says "lists mechanism $mechanism" "^ *$mechanism," tool --list-mechanisms
done

ok 'creates an RSA key' tool --keypairgen --key-type rsa:3072 --label k1
ok 'creates an EC key' tool --keypairgen --key-type EC:prime256v1 --label k2
ok 'creates an RSA key of 2048 bits' tool --keypairgen --key-type rsa:2048 --label r2048
ok 'creates an RSA key of 4096 bits' tool --keypairgen --key-type rsa:4096 --label r4096
for curve in secp384r1 secp521r1 secp256k1; do
    ok "creates an EC key on $curve" tool --keypairgen --key-type EC:$curve --label "ec-$curve"
done
fails 'refuses an RSA key of 1024 bits' 'CKR_(KEY_SIZE_RANGE|ATTRIBUTE_VALUE_INVALID)' \
    tool --keypairgen --key-type rsa:1024 --label small
says 'lists the private keys' 'label: *k1' tool --list-objects --type privkey
says 'lists the public keys' 'label: *k2' tool --list-objects --type pubkey
says 'shows usage' 'Usage: *decrypt, sign' tool --list-objects --type privkey --label k1

head -c 5000 /dev/urandom >data
sha1=3021300906052b0e03021a05000414
sha256=3031300d060960864801650304020105000420
sha384=3041300d060960864801650304020205000430
sha512=3051300d060960864801650304020305000440
unhex() { printf "$(sed 's/../\\x&/g' <<<"$1")"; }

for key in k1 r2048 r4096; do
    id=$(hex $key)
    ok "$key: reads the public key" tool --read-object --type pubkey --label $key -o $key.pub
    for hash in SHA1 SHA224 SHA256 SHA384 SHA512; do
        ok "$key: signs $hash-RSA-PKCS" tool --sign -m $hash-RSA-PKCS --id "$id" -i data -o sig
        ok "$key: OpenSSL verifies $hash-RSA-PKCS" openssl dgst -"${hash,,}" -keyform DER \
            -verify $key.pub -signature sig data
        ok "$key: verifies $hash-RSA-PKCS" tool --verify -m $hash-RSA-PKCS --id "$id" -i data \
            --signature-file sig
    done
    for hash in SHA256 SHA384 SHA512; do
        ok "$key: signs $hash-RSA-PKCS-PSS" tool --sign -m $hash-RSA-PKCS-PSS --id "$id" \
            -i data -o sig
        ok "$key: OpenSSL verifies $hash-RSA-PKCS-PSS" openssl dgst -"${hash,,}" -keyform DER \
            -verify $key.pub -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
            -signature sig data
        ok "$key: verifies $hash-RSA-PKCS-PSS" tool --verify -m $hash-RSA-PKCS-PSS --id "$id" \
            -i data --signature-file sig
        openssl dgst -"${hash,,}" -binary data >digest
        ok "$key: signs RSA-PKCS-PSS of $hash" tool --sign -m RSA-PKCS-PSS --hash-algorithm $hash \
            --mgf MGF1-$hash --salt-len -1 --id "$id" -i digest -o sig
        ok "$key: OpenSSL verifies RSA-PKCS-PSS of $hash" openssl dgst -"${hash,,}" -keyform DER \
            -verify $key.pub -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
            -signature sig data
    done
    for hash in sha1 sha256 sha384 sha512; do
        { unhex "${!hash}"; openssl dgst -$hash -binary data; } >info
        ok "$key: signs RSA-PKCS of a $hash DigestInfo" tool --sign -m RSA-PKCS --id "$id" \
            -i info -o sig
        ok "$key: OpenSSL verifies RSA-PKCS of $hash" openssl dgst -$hash -keyform DER \
            -verify $key.pub -signature sig data
        ok "$key: verifies RSA-PKCS of $hash" tool --verify -m RSA-PKCS --id "$id" -i info \
            --signature-file sig
    done
    printf 'not a DigestInfo' >raw
    ok "$key: signs RSA-PKCS of other bytes" tool --sign -m RSA-PKCS --id "$id" -i raw -o sig
    ok "$key: OpenSSL recovers them" openssl pkeyutl -verifyrecover -pubin -keyform DER \
        -inkey $key.pub -in sig -out recovered
    ok "$key: they are the same" cmp raw recovered

    head -c 32 /dev/urandom >plain
    ok "$key: OpenSSL encrypts PKCS#1" openssl pkeyutl -encrypt -pubin -keyform DER \
        -inkey $key.pub -in plain -out enc
    ok "$key: decrypts RSA-PKCS" tool --decrypt -m RSA-PKCS --id "$id" -i enc -o dec
    ok "$key: RSA-PKCS gives the plaintext" cmp plain dec
    for hash in SHA1 SHA256; do
        ok "$key: OpenSSL encrypts OAEP with $hash" openssl pkeyutl -encrypt -pubin -keyform DER \
            -inkey $key.pub -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:$hash -in plain -out enc
        if [ $hash = SHA1 ]; then mechanism=SHA-1; else mechanism=$hash; fi
        ok "$key: decrypts OAEP with $hash" tool --decrypt -m RSA-PKCS-OAEP \
            --hash-algorithm $mechanism --mgf MGF1-$hash --id "$id" -i enc -o dec
        ok "$key: OAEP with $hash gives the plaintext" cmp plain dec
    done
done

# pkcs11-tool 0.23 cannot write a P-384 public key ("cannot create EVP_PKEY", with any module): there
# the SubjectPublicKeyInfo is put together from the CKA_EC_POINT that its listing shows.
read_public_key() {
    if [ "$1" = ec-secp384r1 ]; then
        tool --list-objects --type pubkey >listing || return 1
        local point
        point=$(awk -v want="$1" '$1 == "EC_POINT:" { point = $2 }
            $1 == "label:" && $2 == want { print substr(point, 5) }' listing)
        [ ${#point} -eq 194 ] || return 1
        unhex "3076301006072a8648ce3d020106052b81040022036200$point" >"$1.pub"
    else
        tool --read-object --type pubkey --label "$1" -o "$1.pub"
    fi
}

for key in k2 ec-secp384r1 ec-secp521r1 ec-secp256k1; do
    id=$(hex $key)
    ok "$key: reads the public key" read_public_key $key
    for hash in SHA1 SHA224 SHA256 SHA384 SHA512; do
        ok "$key: signs ECDSA-$hash" tool --sign -m ECDSA-$hash --signature-format openssl \
            --id "$id" -i data -o sig
        ok "$key: OpenSSL verifies ECDSA-$hash" openssl dgst -"${hash,,}" -keyform DER \
            -verify $key.pub -signature sig data
        ok "$key: signs ECDSA-$hash as r and s" tool --sign -m ECDSA-$hash --id "$id" -i data -o sig
        ok "$key: verifies ECDSA-$hash" tool --verify -m ECDSA-$hash --id "$id" -i data \
            --signature-file sig
    done
    openssl dgst -sha256 -binary data >digest
    ok "$key: signs ECDSA of a digest" tool --sign -m ECDSA --signature-format openssl --id "$id" \
        -i digest -o sig
    ok "$key: OpenSSL verifies ECDSA" openssl dgst -sha256 -keyform DER -verify $key.pub \
        -signature sig data
done

tool --sign -m SHA256-RSA-PKCS --id "$(hex k1)" -i data -o sig >/dev/null 2>&1
head -c 4999 data >shorter
says 'a signature of other data does not verify' 'Invalid signature' \
    tool --verify -m SHA256-RSA-PKCS --id "$(hex k1)" -i shorter --signature-file sig

ok 'passes its own test' tool --test
checks=$((checks + 1))
tool --test >test.out 2>&1
if grep -q 'No errors' test.out && ! grep -qiE 'error|fail' <(grep -v 'No errors' test.out); then
    echo "PASS $client --test reports no error"
else
    failures=$((failures + 1))
    echo "FAIL $client --test reports errors"
    sed 's/^/    | /' test.out
fi
fails 'an unknown key is not found' 'not found|No such|CKR_' tool --read-object --type pubkey --label nothing
