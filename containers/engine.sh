#!/bin/sh
# A container engine and a base image on a bare Debian machine: no systemd, no image registry.
#
#   containers/engine.sh [start|base|stop|status] [FOLDER]
#
#   start   install Debian's docker.io when dockerd is absent, then start dockerd unless an engine already answers
#   base    `start`, then make the base image from the machine's own apt sources unless it is there already
#   stop    stop the dockerd that `start` started in FOLDER (another engine is left alone)
#   status  say whether an engine answers and whether the base image is there; exits 1 when either is missing
#
# FOLDER holds the engine's data, its log and its pid file. Every step may be repeated.
# Environment, all optional:
#   DOCKER_HOST            the engine's address                    (default unix:///var/run/docker.sock)
#   SRL_SWE_ENGINE_DIR     FOLDER when no argument gives one       (default /var/lib/srl-swe-engine)
#   SRL_SWE_BASE_IMAGE     name and tag of the base image          (default srl-swe/base:bookworm)
#   SRL_SWE_BASE_SUITE     Debian suite of the base image          (default bookworm)
#   SRL_SWE_BASE_MIRROR    Debian mirror                           (default: read from the apt sources)
#   SRL_SWE_START_WAIT_S   seconds to wait for dockerd to answer   (default 60)
set -eu

command_name=${1:-status}
folder=${2:-${SRL_SWE_ENGINE_DIR:-/var/lib/srl-swe-engine}}
host=${DOCKER_HOST:-unix:///var/run/docker.sock}
image=${SRL_SWE_BASE_IMAGE:-srl-swe/base:bookworm}
suite=${SRL_SWE_BASE_SUITE:-bookworm}
start_wait_s=${SRL_SWE_START_WAIT_S:-60}
packages_in_base=git,ca-certificates,python3,python3-pip,python3-venv,patch,procps
pid_file=$folder/dockerd.pid
log_file=$folder/dockerd.log
# dockerd looks for runc, containerd and iptables in sbin folders that a plain user's PATH may lack.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export DEBIAN_FRONTEND=noninteractive

say() { printf 'engine: %s\n' "$*"; }
fail() { printf 'engine: error: %s\n' "$*" >&2; exit 1; }
need_root() { [ "$(id -u)" = 0 ] || fail "'$command_name' must $1, which needs root (try sudo)"; }

answers() {
    command -v docker >/dev/null 2>&1 && timeout 20 docker -H "$host" version >/dev/null 2>&1
}

process_named() { # PID NAME: is this process alive and of this name?
    [ -r "/proc/$1/comm" ] && [ "$(cat "/proc/$1/comm")" = "$2" ]
}

own_pid() { # prints the pid of the dockerd that `start` started in FOLDER
    [ -s "$pid_file" ] || return 1
    pid=$(cat "$pid_file")
    process_named "$pid" dockerd || return 1
    printf '%s' "$pid"
}

install_packages() { # PACKAGE...: with one refresh of the lists, which a bare machine lacks
    need_root "install $*"
    command -v apt-get >/dev/null || fail "no apt-get here: install $* by hand"
    say "installing $*"
    mkdir -p "$folder"
    if ! { apt-get update && apt-get install -y --no-install-recommends "$@"; } >"$folder/apt.log" 2>&1; then
        tail -n 15 "$folder/apt.log" >&2
        fail "apt-get could not install $*; whole log: $folder/apt.log"
    fi
}

install_engine() {
    if command -v dockerd >/dev/null && command -v docker >/dev/null && command -v iptables >/dev/null; then
        return
    fi
    install_packages docker.io containerd runc iptables
    if ! command -v docker >/dev/null; then # from Debian 13 on the client is a package of its own
        install_packages docker-cli
    fi
}

drop_stale_pid_files() {
    # A killed engine leaves pid files; once such a number belongs to another process, dockerd and the containerd
    # that it supervises take that process for themselves and refuse to start.
    if [ -e "$pid_file" ] && ! own_pid >/dev/null; then rm -f "$pid_file"; fi
    containerd_pid_file=$folder/exec/containerd/containerd.pid
    if [ -s "$containerd_pid_file" ] && ! process_named "$(cat "$containerd_pid_file")" containerd; then
        rm -f "$containerd_pid_file"
    fi
}

mend_bridge() {
    # A second engine started with `--bridge none` on the same machine removes the bridge of this one, after which only
    # containers without a network start.
    own_pid >/dev/null && [ ! -e /sys/class/net/docker0 ] && command -v ip >/dev/null || return 0
    subnet=$(docker -H "$host" network inspect bridge --format '{{(index .IPAM.Config 0).Subnet}}') || return 0
    ip link add docker0 type bridge && ip addr add "${subnet%.0/*}.1/${subnet#*/}" dev docker0 && ip link set docker0 up
    say "made the missing bridge docker0 again"
}

start() {
    if answers; then
        mend_bridge
        say "an engine answers at $host"
        return
    fi
    install_engine
    need_root "start dockerd"
    mkdir -p "$folder/data" "$folder/exec"
    drop_stale_pid_files
    if ! own_pid >/dev/null; then
        say "starting dockerd (data $folder/data, log $log_file)"
        setsid dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$pid_file" -H "$host" \
            </dev/null >>"$log_file" 2>&1 &
    fi
    waited_s=0
    until answers; do
        waited_s=$((waited_s + 1))
        if [ "$waited_s" -gt "$start_wait_s" ]; then
            tail -n 15 "$log_file" >&2
            fail "dockerd did not answer within $start_wait_s s; whole log: $log_file"
        fi
        sleep 1
    done
    say "ready at $host: $(docker -H "$host" version --format 'engine {{.Server.Version}}')"
}

mirror() { # prints the first Debian mirror of the machine's own apt sources, comments left out
    if [ -n "${SRL_SWE_BASE_MIRROR:-}" ]; then
        printf '%s' "$SRL_SWE_BASE_MIRROR"
        return
    fi
    sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed 's/#.*//')
    printf '%s\n' "$sources" | sed -nE 's/^URIs:[[:space:]]*//p; s/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?//p' |
        awk '$1 ~ /\/debian\/?$/ { print $1; exit }'
}

base() {
    start
    if docker -H "$host" image inspect "$image" >/dev/null 2>&1; then
        say "base image $image is there"
        return
    fi
    need_root "run debootstrap"
    command -v debootstrap >/dev/null || install_packages debootstrap
    source=$(mirror)
    [ -n "$source" ] || fail "no Debian mirror in the apt sources: give one as SRL_SWE_BASE_MIRROR"
    mkdir -p "$folder"
    rootfs=$(mktemp -d "$folder/rootfs.XXXXXX")
    trap 'rm -rf "$rootfs"' EXIT
    trap 'exit 130' INT TERM
    say "making $image by debootstrap (log $folder/debootstrap.log)"
    if ! debootstrap --variant=minbase --include="$packages_in_base" "$suite" "$rootfs" "$source" \
        >"$folder/debootstrap.log" 2>&1; then
        tail -n 15 "$folder/debootstrap.log" >&2
        fail "debootstrap failed; whole log: $folder/debootstrap.log"
    fi
    rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/* "$rootfs"/var/log/bootstrap.log
    tar -C "$rootfs" --numeric-owner -c . |
        docker -H "$host" import -c 'ENV LANG=C.UTF-8' -c 'CMD ["/bin/bash"]' - "$image" >/dev/null
    say "made $image"
}

stop() {
    if ! pid=$(own_pid); then
        say "no dockerd of $folder is running"
        return
    fi
    kill "$pid"
    waited_s=0
    while process_named "$pid" dockerd; do
        waited_s=$((waited_s + 1))
        [ "$waited_s" -le 60 ] || fail "dockerd (pid $pid) did not stop within 60 s"
        sleep 1
    done
    say "stopped dockerd (pid $pid)"
}

status() {
    if ! answers; then
        say "no engine answers at $host"
        return 1
    fi
    say "engine at $host: $(docker -H "$host" version --format '{{.Server.Version}}')"
    if ! docker -H "$host" image inspect "$image" >/dev/null 2>&1; then
        say "base image $image is missing: run 'containers/engine.sh base'"
        return 1
    fi
    say "base image $image is there"
}

case $command_name in
    start | base | stop | status) "$command_name" ;;
    *) fail "unknown command '$command_name': start, base, stop or status" ;;
esac
