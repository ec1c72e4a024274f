#!/bin/sh
# Starts the Redis of docker-compose.yml: every write on disk within a second, nothing evicted, and
# one user, mintd, who may do what mintd does and nothing else. The password is the one in the
# secret redis-url. A user health may PING, without a password.
#
# Nobody can be the default user, yet it keeps all its rights: Redis replays its append-only file
# under them, and without them every transaction in it is left out.
set -eu
umask 077
url=$(cat /run/secrets/redis-url)
case $url in
redis://mintd:?*@*) ;;
*) echo "redis.sh: redis-url is redis://mintd:PASSWORD@redis:6379" >&2 && exit 2 ;;
esac
password=${url#redis://mintd:}
password=${password%@*}

# What mintd makes of it: %40 is @. A % without two hex digits is refused, as mintd does.
decode() {
    rest=$1
    while [ "${rest#*%}" != "$rest" ]; do
        printf %s "${rest%%\%*}"
        rest=${rest#*%}
        case $rest in
        [0-9A-Fa-f][0-9A-Fa-f]*) ;;
        *) echo "redis.sh: the password in redis-url has a % without two hex digits: %25 is a %" >&2 && return 2 ;;
        esac
        tail=${rest#??}
        # shellcheck disable=SC2059 # the format is an escape
        printf "\\$(printf %03o "0x${rest%"$tail"}")"
        rest=$tail
    done
    printf %s "$rest"
}
decode "$password" >/dev/null
digest=$(decode "$password" | sha256sum | cut -c1-64)

cat >/tmp/users.acl <<ACL
user default off resetpass ~* &* +@all
user health on nopass resetkeys resetchannels -@all +ping
user mintd on #$digest resetkeys ~mintd:* resetchannels -@all +get +set +setex +del +hgetall +hset +hexists +hdel +renamenx +sadd +srem +srandmember +incr +multi +exec +ping +time +client|tracking +wait +role
ACL
exec redis-server --dir /data --appendonly yes --appendfsync everysec --maxmemory-policy noeviction \
    --aclfile /tmp/users.acl --protected-mode no
