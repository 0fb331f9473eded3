#!/bin/sh
# private-engine.sh FOLDER COMMAND...: starts a Docker engine that keeps everything in FOLDER, runs the command with
# DOCKER_HOST set to it, and ends with the command's exit code.
#
# To be run as root in namespaces of its own, so that the machine's network, firewall and mounts stay as they are and
# nothing outlives this script, however it ends:
#   unshare --mount --net --pid --fork --kill-child --mount-proc sh private-engine.sh FOLDER COMMAND...
set -u

if [ $$ -ne 1 ]; then
  echo 'private-engine.sh: not the first process of a namespace; see the comment at its top' >&2
  exit 2
fi
folder=$1
shift

ip link set lo up
# A machine with systemd makes control groups itself; in here nobody asks it to.
dockerd --host "unix://$folder/engine.sock" --data-root "$folder/data" --exec-root "$folder/exec" \
  --pidfile "$folder/engine.pid" --exec-opt native.cgroupdriver=cgroupfs >"$folder/engine.log" 2>&1 &
engine=$!
export DOCKER_HOST="unix://$folder/engine.sock"

waited=0
until docker version >/dev/null 2>&1; do
  if ! kill -0 "$engine" 2>/dev/null || [ "$waited" -ge 300 ]; then
    echo 'private-engine.sh: the engine does not start; its last lines:' >&2
    tail -n 8 "$folder/engine.log" >&2
    exit 70
  fi
  waited=$((waited + 1))
  sleep 0.1
done

"$@"
code=$?
kill "$engine"
wait "$engine"
exit "$code"
