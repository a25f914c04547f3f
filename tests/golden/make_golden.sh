#!/bin/sh
# Writes tests/golden/format-NAME.tar.gz: make_golden.sh PROGRAM NAME [bare|codes|components], e.g. 1.0, or 1.0-bare with bare
set -eu
program=$(realpath "$1")
archive=$(realpath "$(dirname "$0")")/format-$2.tar.gz
[ ! -e "$archive" ] || { echo "$archive exists; a golden database is never made anew" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$program" "$folder/db" ${3:-}
# What a database does not need: locks, logs for people, and options, which are never read.
rm -f "$folder"/db/LOCK "$folder"/db/store/LOCK "$folder"/db/store/LOG* "$folder"/db/store/OPTIONS-*
tar -C "$folder" --sort=name --owner=0 --group=0 --numeric-owner --mtime=2000-01-01 -cf - db | gzip -9n > "$archive"
ls -l "$archive"
