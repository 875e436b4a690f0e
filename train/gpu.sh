#!/usr/bin/env bash
# Both arms of `view-gpu` on a bare machine with one large GPU and no network. Here: plan, pack,
# unpack. There: receive FOLDER, train SECONDS MORE, give ARM. `plan` says which, in which order.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=python3
[ -x .venv/bin/python ] && python=.venv/bin/python
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD" HF_HUB_OFFLINE=1

plan() {
    shopt -s nullglob
    local folders=(artefacts/gpu/part-*) number=0
    cat <<'TEXT'
The machine gets this checkout and what is carried beside it, 64 MiB per call; it gives back what
lies in $OUT, 8 files of 16 MiB per call; a call lasts 10 minutes at most. Make the calls without a
pause, so that the machine stays. About 14 minutes in all, of which 10 are training.

 before   train/gpu.sh pack        (once; parts into artefacts/gpu)
          The checkout travels without its checkpoints, which would not fit:
            git rm -q --cached weights/*.safetensors
            echo '/weights/*.safetensors' >> .git/info/exclude
TEXT
    ((${#folders[@]})) || folders=("artefacts/gpu/part-N, each")
    for folder in "${folders[@]}"; do
        number=$((number + 1))
        printf ' call %d   carry %s\n          run   bash train/gpu.sh receive %s\n' \
            $number "$folder" "$folder"
    done
    cat <<TEXT
 call $((number + 1))   run   bash train/gpu.sh train 470 150      (render, profile, train; limit 600 s)
 call $((number + 2))   run   bash train/gpu.sh train 150 0 && bash train/gpu.sh give foundation
          (limit 400 s; if it says "to be continued", the same call again gives both more time)
 call $((number + 3))   run   bash train/gpu.sh give scratch
 after    train/gpu.sh unpack FOLDER …     (those with the files that came back)
            git reset -q -- weights      and take the line out of .git/info/exclude
          python -m train.view.evaluate   scores them as any pair
A call that broke off is made again: what was received, rendered and saved is still there. On a new
machine begin anew.
TEXT
}

command=${1:-plan}
(($#)) && shift
case $command in
plan) plan ;;
pack | unpack) exec "$python" -m "train.gpu.$command" "$@" ;;
receive) exec "$python" -m train.gpu.train --receive "$@" ;;
train) exec "$python" -m train.gpu.train --seconds "$1" --more "${2:-0}" "${@:3}" ;;
give) exec "$python" -m train.gpu.train --give "$@" ;;
*) echo "train/gpu.sh: no command $command; see train/gpu.sh plan" >&2 && exit 2 ;;
esac
