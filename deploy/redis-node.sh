#!/bin/sh
# redis-node.sh replica|cluster|sentinel NAME: starts one node of docker-compose.sentinel.yml or of
# docker-compose.cluster.yml: a Redis that Sentinels watch, a Redis of a cluster, or a Sentinel. NAME is
# the service: what the node calls itself towards the others, and what its certificate is for. No port
# speaks anything but TLS.
#
# Who may do what, by two passwords out of secrets:
#
#     mintd    what mintd does and nothing else    redis-password
#     nodes    what nodes ask of each other        nodes-password
#     health   PING                                none
#
# Nobody can be the default user, yet on a Redis it keeps all its rights (see redis.sh).
#
# What is in /data outlives the container. The settings are written anew at each start, out of this
# file, so that a password can be changed; kept is only what the node has learnt: whose replica it is, or
# what a Sentinel knows. (nodes.conf of a cluster is Redis' own.)
set -eu
umask 077
kind=$1 name=$2
digest_of() { printf %s "$(cat "/run/secrets/$1")" | sha256sum | cut -c1-64; }
users() { # DEFAULT'S RIGHTS, MINTD'S, NODES'
    cat <<ACL
user default off resetpass $1
user health on nopass resetkeys resetchannels -@all +ping
user mintd on #$(digest_of redis-password) resetkeys resetchannels -@all $2
user nodes on #$(digest_of nodes-password) resetkeys allchannels -@all $3
ACL
}
# A password as a word of a configuration file: quoted, with \ before what would end that.
nodes_password() { printf '"%s"' "$(sed 's/[\\"]/\\&/g' /run/secrets/nodes-password)"; }
learnt() { # PATTERN: the lines of the last run's settings
    [ ! -f /data/node.conf ] || sed -En "/^($1) /p" /data/node.conf
}
# The node itself writes to the file later on; a start that is cut off leaves the old one.
settle() { mv /data/new.conf /data/node.conf; }

common() { # what all three kinds are told
    cat <<CONF
port 0
tls-port $PORT
tls-ca-cert-file /run/authority/ca.pem
tls-cert-file /run/keys/$name.pem
tls-key-file /run/keys/$name.key
tls-auth-clients no
tls-replication yes
protected-mode no
aclfile /tmp/users.acl
dir /data
CONF
}
redis() { # what both kinds of Redis are told beyond: every write on disk within a second, nothing evicted
    cat <<CONF
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
repl-diskless-sync-delay 0
masteruser nodes
masterauth $(nodes_password)
replica-announce-ip $name
CONF
}
# What mintctl acl prints, and what it prints beyond that for rediss+cluster://.
mintd_may='+get +set +setex +del +hgetall +hset +hexists +hdel +renamenx +sadd +srem +srandmember +incr +multi +exec +ping +time +client|tracking +wait +role'
and_in_a_cluster='+exists +asking +cluster|slots +cluster|info +cluster|myid'

case $kind in
replica)
    # Sentinel and a replica: https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/
    users '~* &* +@all' "~mintd:* $mintd_may" "+ping +info +role +psync +replconf +multi +exec +subscribe +publish \
+replicaof +slaveof +config|rewrite +client|setname +client|kill +script|kill" >/tmp/users.acl
    {
        common
        redis
        # A master that is cut off from both replicas mints nothing that would be lost.
        echo min-replicas-to-write 1
        if [ -f /data/node.conf ]; then
            learnt 'replicaof'
        else
            [ "$name" = redis1 ] || echo replicaof redis1 "$PORT"
        fi
    } >/data/new.conf
    settle
    exec redis-server /data/node.conf
    ;;
cluster)
    users '~* &* +@all' "~mintd:* $mintd_may $and_in_a_cluster" \
        '+ping +info +psync +replconf +cluster' >/tmp/users.acl
    {
        common
        redis
        cat <<CONF
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout 3000
cluster-announce-hostname $name
cluster-preferred-endpoint-type hostname
cluster-require-full-coverage no
tls-cluster yes
CONF
    } >/data/new.conf
    settle
    exec redis-server /data/node.conf
    ;;
sentinel)
    users '-@all' '+hello +auth +ping +role +client|setname +sentinel|master +sentinel|get-master-addr-by-name' \
        '+auth +ping +publish +client|setname +sentinel|is-master-down-by-addr' >/tmp/users.acl
    {
        common
        cat <<CONF
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $name
sentinel sentinel-user nodes
sentinel sentinel-pass $(nodes_password)
sentinel auth-user mymaster nodes
sentinel auth-pass mymaster $(nodes_password)
sentinel down-after-milliseconds mymaster 3000
sentinel failover-timeout mymaster 10000
CONF
        if [ -f /data/node.conf ]; then
            learnt 'sentinel (myid|monitor|current-epoch|config-epoch|leader-epoch|known-replica|known-sentinel)'
        else
            echo sentinel monitor mymaster redis1 6379 2
        fi
    } >/data/new.conf
    settle
    exec redis-server /data/node.conf --sentinel
    ;;
*) echo "redis-node.sh: replica, cluster or sentinel" >&2 && exit 2 ;;
esac
