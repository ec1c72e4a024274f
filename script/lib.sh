# shellcheck shell=sh
# lib.sh: what the scripts of this folder share. Sourced, with the repository as the working folder.

me=${0##*/}

say() { echo "$me: $*" >&2; }
die() {
    say "$*"
    exit 1
}

# prepare SET: the packages of this set, and the two libraries that Debian 12 lacks.
prepare() {
    script/packages "$1"
    script/bootstrap
}

# build FOLDER [cmake's options]: configures and compiles; says nothing unless it fails. With only=TARGET in front
# it compiles that, and not all.
build() {
    folder=$1
    shift
    mkdir -p "$folder"
    [ -w "$folder" ] || die "$folder/ belongs to somebody else: remove it, or run this as its owner"
    say "building in $folder/"
    if ! cmake -S . -B "$folder" "$@" >"$folder/build.log" 2>&1 ||
        ! cmake --build "$folder" ${only:+--target "$only"} -j "$(getconf _NPROCESSORS_ONLN)" >>"$folder/build.log" 2>&1; then
        cat "$folder/build.log" >&2
        die "the build failed"
    fi
}

# leashed COMMAND: runs it so that it ends when this script does, however that ends.
leashed() {
    if command -v setpriv >/dev/null; then
        exec setpriv --pdeathsig TERM -- "$@"
    fi
    exec "$@"
}

# end PID...: asks these children to stop, and insists where one has not within 15 s.
end() {
    for pid in "$@"; do kill "$pid" 2>/dev/null || :; done
    for pid in "$@"; do
        tries=150
        while kill -0 "$pid" 2>/dev/null && [ "$tries" -gt 0 ]; do
            sleep 0.1
            tries=$((tries - 1))
        done
        kill -KILL "$pid" 2>/dev/null || :
    done
}

# install_without_starting SET PROGRAM...: the packages of this set, in Debian's way to install a service
# without starting it, where one of these programs is missing.
install_without_starting() {
    set_of_packages=$1
    shift
    policy=/usr/sbin/policy-rc.d
    missing=
    for program in "$@"; do
        command -v "$program" >/dev/null || missing=$program
    done
    if [ -z "$missing" ] || [ -e "$policy" ] || [ ! -d /var/lib/dpkg ]; then
        script/packages "$set_of_packages"
        return
    fi
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    trap remove_policy EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    script/packages "$set_of_packages"
    trap - EXIT HUP INT TERM
    remove_policy
}
remove_policy() { $as_root rm -f "$policy"; }

# install_npm_packages FOLDER: what its package-lock.json names; does nothing where that is installed.
install_npm_packages() {
    if ! cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock.json"; then
        say "installing npm packages in $1/"
        npm --prefix "$1" ci --ignore-scripts >"$1/npm.log" 2>&1 || {
            cat "$1/npm.log" >&2
            die "npm could not install them"
        }
        cp "$1/package-lock.json" "$1/node_modules/.installed-lock.json"
    fi
}
