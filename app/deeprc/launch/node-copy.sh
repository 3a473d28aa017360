# bash node-copy.sh DISK IMAGE COMMAND…
#
# Runs the command with the path of a copy of IMAGE in a folder of the user's own on DISK, the node's, in the place of
# IMAGE's own. The rank that comes first makes the copy while the others of the node wait. Where none can be made, the
# shared file does. The folder is named by the uid: $USER is not set everywhere.
folder=$1/deeprc-images-$EUID image=$2
copy=$folder/${image##*/}
shift 2
size=$(stat -Lc %s "$image")

# A folder as /tmp is everybody's: somebody else could have put a folder or a link there, with an image of his under
# this name. Ours is used only where nobody else can write to it or put another one in its place.
closed() {
  local mode above
  [[ -d $folder && ! -L $folder && -O $folder ]] || return
  mode=$(stat -c %a "$folder") above=$(stat -Lc %a "$(dirname "$folder")")
  ((!(8#$mode & 8#22) && (8#$above & 8#1000 || !(8#$above & 8#22))))
}
whole() { # a plain file of ours, of the image's size
  [[ -f $1 && ! -L $1 && -O $1 && $(stat -c %s "$1") == "$size" ]]
}

# An image's name holds the beginning of its digest: a copy of one that the disk has damaged is not started.
named() {
  local real wanted found
  real=$(readlink -f "$image")
  [[ $real =~ _([0-9a-f]{16})\.sif$ ]] || return 0
  wanted=${BASH_REMATCH[1]} found=$(sha256sum < "$1")
  [[ $found == "$wanted"* ]] && return
  rm -f "$1"
  echo "$image is damaged: its bytes have the digest ${found%% *}, its name says $wanted…" >&2
  return 1
}

umask=$(umask) # the command's; what is made here is ours alone
umask 077
if mkdir -p -m 700 "$folder" && closed && exec 9> "$copy.lock" && flock 9; then
  if ! whole "$copy"; then
    needed=$((2 * size)) # what the task itself writes needs room, too
    (($(df --output=avail -B1 "$folder" | tail -n 1) > needed)) && cp --remove-destination "$image" "$copy.part" &&
      whole "$copy.part" && { named "$copy.part" || exit 65; } && mv -T "$copy.part" "$copy"
  fi
  exec 9>&-
else
  copy=
fi
umask "$umask"
if ! whole "$copy"; then
  echo "no copy of $image in $folder: too little room, not writable, or not yours alone" >&2
  copy=$image
fi
exec "${@/#"$image"/"$copy"}"
