# bash node-copy.sh FOLDER IMAGE COMMAND…
#
# Runs the command with the path of a copy of IMAGE in FOLDER, on the node's own disk, in the place of IMAGE's own. The
# rank that comes first makes the copy while the others of the node wait. Where none can be made, the shared file does.
folder=$1 image=$2
copy=$folder/${image##*/}
shift 2

# Somebody else's folder is not to be trusted: there could be an image of his under this name.
if mkdir -p -m 700 "$folder" && [[ -O $folder ]] && exec 9> "$copy.lock" && flock 9; then
  if [[ ! -s $copy ]]; then
    needed=$((2 * $(stat -Lc %s "$image"))) # what the task itself writes needs room, too
    (($(df --output=avail -B1 "$folder" | tail -n 1) > needed)) && cp "$image" "$copy.part" && mv "$copy.part" "$copy"
  fi
  exec 9>&-
else
  copy=
fi
if [[ ! -s $copy ]]; then
  echo "no copy of $image in $folder: too little room, or not writable" >&2
  copy=$image
fi
exec "${@/#"$image"/"$copy"}"
