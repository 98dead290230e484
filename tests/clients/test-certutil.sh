#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# NSS's certutil: makes keys with self-signed certificates on the token, renames and deletes them.
. "$(dirname "$0")/lib.sh"
begin

mkdir db
certutil -N -d sql:db --empty-password
modutil -dbdir sql:db -add dev -libfile "$module" -force >/dev/null 2>&1
head -c 2048 /dev/urandom >noise
tool() { certutil -d sql:db -h dev "$@" </dev/null; }

ok 'makes an RSA key with its certificate' tool -S -n rsa -s CN=rsa -x -t u,u,u -z noise -k rsa -g 2048
ok 'makes an EC key with its certificate' tool -S -n ec -s CN=ec -x -t u,u,u -z noise -k ec -q nistp256
says 'lists the RSA certificate with its key' 'dev:rsa  *u,u,u' tool -L
says 'lists the EC certificate with its key' 'dev:ec  *u,u,u' tool -L
says 'lists the keys' '< 1>' tool -K
tool -L -n dev:rsa -r >rsa.der 2>/dev/null
ok 'the certificate is signed by its key' openssl verify -CAfile <(openssl x509 -inform DER -in rsa.der) \
    <(openssl x509 -inform DER -in rsa.der)
ok 'makes a request with a new key' tool -R -s CN=request -k rsa -g 2048 -z noise -o request.der
ok 'the request is signed by the key' openssl req -inform DER -in request.der -verify -noout
ok 'renames' tool --rename -n dev:rsa --new-n other
says 'lists the new name' 'dev:other  *u,u,u' tool -L
ok 'deletes a certificate' tool -D -n dev:other
ok 'deletes a key with its certificate' tool -F -n dev:ec
checks=$((checks + 1))
if tool -L 2>/dev/null | grep -qE 'dev:(other|ec)'; then
    failures=$((failures + 1))
    echo "FAIL $client what was deleted is still there"
else
    echo "PASS $client what was deleted is gone"
fi
says 'the key of the deleted certificate stays' '< 0> rsa' tool -K
