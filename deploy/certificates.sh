#!/bin/sh
# certificates.sh NAME...: a small authority, and a certificate for each NAME, signed by it. Made once:
# what is there stays. To have new ones, take the containers down and remove the volumes authority and
# keys; those of Redis may stay.
#
#     /run/authority/ca.pem     who signed them: for everybody
#     /run/keys/NAME.pem, .key  for a node, and for nobody who is not in its group
#
# The authority's own key is removed at the end: nobody can sign another certificate with it. They are
# good for ten years, since nothing here renews them.
set -eu
umask 027
[ ! -s /run/authority/ca.pem ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# silently COMMAND...: openssl tells its progress, which is told only where it fails.
silently() { "$@" 2>"$work/log" || { cat "$work/log" >&2 && exit 1; }; }
new_key() { # FILE, then what else openssl req is told
    key=$1
    shift
    silently openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -keyout "$key" "$@"
}
new_key "$work/ca.key" -x509 -out "$work/ca.pem" -days 3650 -subj "/CN=mintd's Redis" \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign
for name in "$@"; do
    # Between themselves nodes are servers and clients.
    cat >"$work/extensions" <<TEXT
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:$name
TEXT
    new_key "/run/keys/$name.key" -out "$work/request" -subj "/CN=$name"
    silently openssl x509 -req -in "$work/request" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
        -days 3650 -extfile "$work/extensions" -out "/run/keys/$name.pem"
    chmod 640 "/run/keys/$name.key"
done
# Last, since it says that all is there; and at once, so that nobody sees half of it.
cp "$work/ca.pem" /run/authority/new.pem
chmod 644 /run/authority/new.pem
mv /run/authority/new.pem /run/authority/ca.pem
