# shellcheck shell=sh
# engine.sh: a container engine, compose and the images that script/compose-test runs. Sourced, with
# lib.sh, debian.sh and skip(); $tmp is a folder that the caller made, and removes behind end_engine.

engine='' bridge='' firewall='' COMPOSE=''

# dockerd sets rules, a policy and ip_forward, and leaves them behind (N-31).
save_firewall() {
    for family in iptables ip6tables; do
        "$family-save" >"$tmp/$family.rules" 2>/dev/null || :
    done
    sysctl -n net.ipv4.ip_forward >"$tmp/ip_forward"
    firewall=1
}
# A table that was not there before has no rules again, and takes everything.
empty_new_tables() { # FAMILY
    "$1-save" 2>/dev/null | awk -v known=" $(sed -n 's/^\*//p' "$tmp/$1.rules" | tr '\n' ' ')" '
        /^\*/ { is_new = !index(known, " " substr($1, 2) " ") }
        is_new && (/^\*/ || /^COMMIT/) { print }
        is_new && /^:/ && $2 != "-" { print $1, "ACCEPT" }' | "$1-restore"
}
restore_firewall() {
    for family in iptables ip6tables; do
        empty_new_tables "$family" 2>/dev/null || :
        [ ! -s "$tmp/$family.rules" ] || "$family-restore" <"$tmp/$family.rules" 2>/dev/null ||
            say "the rules of $family could not be restored"
    done
    sysctl -qw "net.ipv4.ip_forward=$(cat "$tmp/ip_forward")" 2>/dev/null || :
}

# One that runs, or else one of our own: in a session of its own, since Ctrl-C would end it before the
# containers, whose networks then stay.
have_engine() {
    docker info >/dev/null 2>&1 || start_engine
    say "$(docker info --format 'engine {{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}}')"
}
start_engine() {
    [ "$(id -u)" = 0 ] || skip "no container engine answers, and only root can start one"
    script/packages engine || skip "no container engine, and none could be installed"
    export DOCKER_HOST="unix://$tmp/docker.sock"
    [ -e /sys/class/net/docker0 ] || bridge=1 # dockerd would leave it behind
    save_firewall
    leashed setsid dockerd --host "$DOCKER_HOST" --data-root "$tmp/data" --exec-root "$tmp/exec" \
        --pidfile "$tmp/docker.pid" >"$tmp/dockerd.log" 2>&1 &
    engine=$!
    tries=60
    until docker info >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ] || ! kill -0 "$engine" 2>/dev/null; then
            skip "dockerd does not run here: $(tail -n 1 "$tmp/dockerd.log")"
        fi
        sleep 0.5
    done
}
end_engine() {
    [ -z "$engine" ] || end "$engine"
    [ -z "$bridge" ] || ip link delete docker0 2>/dev/null || :
    [ -z "$firewall" ] || restore_firewall
}

# Version 2 of compose: sets COMPOSE to the words that call it.
have_compose() {
    COMPOSE='docker compose'
    if ! docker compose version >/dev/null 2>&1; then
        fetch_debs "$tmp" docker-compose
        dpkg-deb -x "$tmp"/debs/docker-compose_*.deb "$tmp/compose"
        COMPOSE=$tmp/compose/usr/libexec/docker/cli-plugins/docker-compose
    fi
    say "compose $($COMPOSE version --short)"
}
# take_away PROJECT: its containers, networks and volumes, where any are left.
take_away() {
    [ -n "$COMPOSE" ] || return 0
    (
        cd "$tmp" # where no file of compose is
        docker ps -aq --filter "network=$1_front" | xargs -r docker rm -f
        # shellcheck disable=SC2086 # words
        setsid -w $COMPOSE -p "$1" down --volumes --timeout 5
    ) >"$tmp/down.log" 2>&1 || cat "$tmp/down.log" >&2
}

# have_image IMAGE: it is here, or can be pulled.
have_image() {
    docker image inspect "$1" >/dev/null 2>&1 || timeout 120 docker pull -q "$1" >/dev/null 2>&1
}
have_images() {
    if ! have_image debian:trixie-slim; then
        say "no registry: building stand-ins for the official images"
        command -v debootstrap >/dev/null || script/packages engine
        mkdir "$tmp/base"
        deploy/ci/base-image "$tmp/base" "$(debian_mirrors | head -n 1)" >/dev/null
    fi
    for image in redis:8 haproxy:3.0; do
        have_image "$image" || DOCKER_BUILDKIT=0 docker build -q -t "$image" - \
            <"deploy/ci/${image%:*}.Dockerfile" >"$tmp/build.log" 2>&1 || {
            cat "$tmp/build.log" >&2
            die "the stand-in for $image could not be built"
        }
    done
}
