#!/usr/bin/env bash
# Watches one of several ranks: watch.sh FOLDER RANK PID LIMIT PAUSE, started beside the rank's command by the shell PID.
# When FOLDER/end holds a word, the rank's programs get SIGTERM. Where they hold more than LIMIT bytes (0: any number),
# they are killed, and FOLDER/memory.RANK says how many MB they had. It looks every PAUSE seconds.
#
# The file reaches ranks on every node, whatever their launcher makes of signals (srun and mpiexec kill at once). It is
# opened at each look: then a network file system asks for what is in it now.
folder=$1 number=$2 parent=$3 limit=$4 pause=$5
[[ -z ${PMI_FD-} ]] || eval "exec $PMI_FD>&-" # else the launcher would not see the rank's end of it
page=$(getconf PAGESIZE)

below() { # the processes below $1, but for this one and those that it starts
  local child
  for child in $(cat /proc/"$1"/task/*/children 2> /dev/null); do
    [[ $child != "$$" ]] || continue
    programs+=("$child")
    below "$child"
  done
}

trap : USR1 USR2 # a scheduler's word to the rank's programs
exec 9<> <(:) # a pipe that nothing comes from: to wait there takes no process
while [[ -d /proc/$parent ]]; do
  read -r -t "$pause" -u 9
  programs=()
  read -r word < "$folder/end"
  if [[ -n $word ]]; then
    below "$parent"
    kill -TERM "${programs[@]}" 2> /dev/null
    exit
  fi
  if ((limit)); then
    below "$parent"
    used=0
    for pid in "${programs[@]}"; do
      # Mapped pages of files on a disk do not count: the kernel drops them when memory runs short.
      held=0 told=
      while read -r name kb _; do
        [[ $name != RssAnon: && $name != RssShmem: ]] || ((told = 1, held += kb * 1024))
      done 2> /dev/null < "/proc/$pid/status"
      [[ -n $told ]] || { read -r _ pages _ 2> /dev/null < "/proc/$pid/statm" && ((held = pages * page)); } # Linux < 4.5
      ((used += held))
    done
    if ((used > limit)); then
      echo "$((used / 1000000))" > "$folder/memory.$number"
      kill -KILL "${programs[@]}" 2> /dev/null
      exit
    fi
  fi
done
