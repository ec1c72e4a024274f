#!/bin/sh
# cluster-slots.sh ADDRESS...: makes one Redis Cluster of the six nodes of docker-compose.cluster.yml, the
# first three its masters, and ends when each of them says that all is well. Where a cluster is there
# already it only waits for that: it may be run again, and is at each "up".
set -eu
REDISCLI_AUTH=$(cat /run/secrets/nodes-password)
export REDISCLI_AUTH # not an argument: those can be read by others
cli() { redis-cli --tls --cacert /run/authority/ca.pem --user nodes "$@"; }
says() { cli -h "$1" cluster info | tr -d '\r' | grep -qx "$2"; } # ADDRESS LINE

nodes=''
for address in "$@"; do nodes="$nodes $address:6379"; done
if ! says "$1" cluster_slots_assigned:16384; then
    # An earlier run may have been cut off half way. A node that holds keys refuses this, which ends it here.
    for address in "$@"; do
        [ "$(cli -h "$address" cluster reset hard)" = OK ] || {
            echo "cluster-slots.sh: $address holds keys, and is in no cluster: see what it is first" >&2
            exit 1
        }
    done
    # shellcheck disable=SC2086 # words
    cli --cluster create $nodes --cluster-replicas 1 --cluster-yes
fi
# Its name is what mintd is sent to: until a node has heard another's, it says "?" in its place.
ready() { # ADDRESS
    says "$1" cluster_state:ok && says "$1" cluster_slots_ok:16384 && says "$1" "cluster_known_nodes:$nodes_wanted" &&
        ! cli -h "$1" cluster slots | grep -qx '?'
}
nodes_wanted=$# tries=120
for address in "$@"; do
    until ready "$address"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || {
            echo "cluster-slots.sh: no cluster yet, says $address:" >&2
            cli -h "$address" cluster info >&2
            exit 1
        }
        sleep 0.5
    done
done
