#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# OpenSSH: keys are read, logins made with and without an agent, host keys served by an agent to a real
# sshd, certificates issued for users and hosts, files, commits and tags signed and verified.
. "$(dirname "$0")/lib.sh"
begin
authority
certificate mail rsa
certificate web ec
for key in login host ca; do
    vault_key $key rsa
    vault_key $key-ec ec
done
vault_key p384 P-384
vault_key p521 P-521
echo 'what is signed' >data
export HOME=$dir
unset SSH_AUTH_SOCK SSH_ASKPASS DISPLAY
# A root's sshd insists on this directory, which Debian makes as its service starts.
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd

forgotten() { ! ssh-add -l; }
verify_file() {
    ssh-keygen -Y verify -f signers -I "$1@example.org" -n file -s data.sig <data
}

page openssh

# The page's agent, and its server.
eval "$(grep -E '^declare -x (SSH_AUTH_SOCK|SSH_AGENT_PID|PORT)=' page.env)"
background+=("$SSH_AGENT_PID")
says 'page: the login was by the key of the vault' "Accepted publickey for $(id -un) .* RSA $(
    ssh-keygen -lf login.pub | cut -d' ' -f2 | tr + .)" cat sshd.log
says 'page: the login was by the certificate' 'Accepted publickey .*-CERT.* ID alice .*CA RSA' cat sshd.log
fails 'page: the agent forgot the keys' 'no identities' ssh-add -l

# What the listing shows.
for key in login login-ec p384 p521 mail web; do
    grep " $key\$" keys >$key.pub
    says "lists $key once" "^1$" grep -c " $key\$" keys
done
ok 'the RSA key of a certificate is right' cmp <(openssl x509 -in mail.crt -noout -pubkey) \
    <(ssh-keygen -e -m PKCS8 -f mail.pub)
ok 'the EC key of a certificate is right' cmp <(openssl x509 -in web.crt -noout -pubkey) \
    <(ssh-keygen -e -m PKCS8 -f web.pub)

# The agent: again after removal, with a limited life, and asking before each use.
add() { ssh-add "$@" "$module" </dev/null; }
ok 'the agent takes the keys again' add -s
says 'the agent has the EC keys' 'ECDSA' ssh-add -l

# Logins without an agent.
ssh_to=(-o UserKnownHostsFile="$dir/known_hosts" -o IdentityAgent=none -o BatchMode=yes -p "$PORT" localhost)
for key in login-ec p384 p521 mail web; do
    cp $key.pub login.pub
    says "logs in with $key alone" "^in" ssh -I "$module" -i $key.pub -o IdentitiesOnly=yes "${ssh_to[@]}" echo in
done
cp p384.pub login.pub
fails 'a key that is not authorised does not log in' 'Permission denied' \
    ssh -I "$module" -i web.pub -o IdentitiesOnly=yes "${ssh_to[@]}" true

for key in mail login-ec p384 p521; do
    ok "the agent proves that it has $key" ssh-add -T $key.pub
    rm -f data.sig
    ok "-Y sign with $key" ssh-keygen -Y sign -f $key.pub -n file data
    echo "$key@example.org $(cat $key.pub)" >signers
    says "-Y verify with $key" 'Good "file" signature' verify_file $key
done
for hash in sha256 sha512; do
    rm -f data.sig
    ok "-Y sign of $hash" ssh-keygen -Y sign -O hashalg=$hash -f mail.pub -n file data
    echo "mail@example.org $(cat mail.pub)" >signers
    ok "-Y verify of $hash" verify_file mail
done
echo 'what is not signed' >data
fails '-Y verify of something else' 'incorrect signature' verify_file mail
ok 'the agent forgets them' add -e
ok 'the agent takes them for a second' add -t 1 -s
ok 'after that it has forgotten them' await 10 forgotten

# An agent that asks before each use, here a program that says yes, then one that says no.
eval "$(SSH_ASKPASS="$dir/answer" DISPLAY=:0 ssh-agent -P "$module")" >/dev/null
background+=("$SSH_AGENT_PID")
ok 'the agent takes them, to be confirmed' add -c -s
ln -s /bin/true answer
ok 'a confirmed use' ssh-add -T mail.pub
ln -sf /bin/false answer
fails 'a use that is not confirmed' 'refused' ssh-add -T mail.pub

# Certificates for keys of the vault, and for a host; authorities with an RSA and an EC key.
for authority in ca ca-ec; do
    grep " $authority\$" keys >$authority.pub
    ok "$authority issues a user certificate" ssh-keygen -s $authority.pub -D "$module" -I vault-$authority \
        -n "$(id -un)" -V +1d web.pub
    says "$authority: the certificate is for the user" "vault-$authority" ssh-keygen -L -f web-cert.pub
    ok "$authority issues a host certificate" ssh-keygen -s $authority.pub -D "$module" -h -I host \
        -n localhost -V +1d host-ec.pub
    eval "$(ssh-agent -P "$module")" >/dev/null
    background+=("$SSH_AGENT_PID")
    ok "$authority: the agent takes the keys" add -s
    grep ' host$' keys >host.pub
    tls_port=$(port)
    cat >sshd.$authority <<END
ListenAddress 127.0.0.1:$tls_port
HostKeyAgent $SSH_AUTH_SOCK
HostKey $dir/host-ec
HostKey $dir/host
HostCertificate $dir/host-ec-cert.pub
TrustedUserCAKeys $dir/$authority.pub
PidFile none
StrictModes no
END
    /usr/sbin/sshd -D -f sshd.$authority -E "$dir/sshd.$authority.log" &
    background+=($!)
    await 10 served "$tls_port"
    echo "@cert-authority [localhost]:$tls_port $(cat $authority.pub)" >known_hosts
    ssh_to=(-o UserKnownHostsFile="$dir/known_hosts" -o BatchMode=yes -o IdentitiesOnly=yes -p "$tls_port" localhost)
    says "$authority: a host and a user with certificates, by the agent" '^in' \
        ssh -i web.pub -o CertificateFile=web-cert.pub "${ssh_to[@]}" echo in
    says "$authority: the same without an agent" '^in' ssh -I "$module" -o IdentityAgent=none -i web.pub \
        -o CertificateFile=web-cert.pub "${ssh_to[@]}" echo in
    fails "$authority: no certificate, no login" 'Permission denied' ssh -i mail.pub "${ssh_to[@]}" true
done
for algorithm in rsa-sha2-256 rsa-sha2-512; do
    echo "[localhost]:$tls_port $(cat host.pub)" >known_hosts
    says "a host key of the vault by $algorithm" '^in' ssh -i web.pub -o CertificateFile=web-cert.pub \
        -o HostKeyAlgorithms=$algorithm "${ssh_to[@]}" echo in
done

# OpenSSH 9.2 lists a key on a curve that it does not know; an agent that is given one ends itself.
eval "$(ssh-agent -P "$module")" >/dev/null
background+=("$SSH_AGENT_PID")
vault_key other P-256K
says 'a key on secp256k1 is of no known kind' 'ssh-unknown .* other' ssh-keygen -D "$module"
sed -i 's/^\[vault:.*/&\nkeys = login* mail/' "$KVPKCS11_CONF"
ok 'an agent that is not shown it' add -s
says 'has the keys that it is shown' ' mail ' ssh-add -l

kill "$daemon"
wait "$daemon"
daemon=
fails 'no vault, no keys' 'cannot read public key|no keys|failed' ssh-keygen -D "$module"
