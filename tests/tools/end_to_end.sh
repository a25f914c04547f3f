#!/usr/bin/env bash
# The tools as a user has them, on the example data: create, load, search, change, refuse bad input.
set -euo pipefail
vdbctl=$1 load=$2 data=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
db=$work/db

fail() { echo "FAILED: $*" >&2; exit 1; }
# expect STATUS TEXT COMMAND…: exit status and a part of what is printed on either stream.
expect() {
  local status=$1 text=$2 got=0 output
  shift 2
  output=$("$@" 2>&1) || got=$?
  [[ $got -eq $status ]] || fail "$* exits $got; wanted $status: $output"
  [[ $output == *"$text"* ]] || fail "$* prints: $output; wanted: $text"
}

files=(--vectors "$data/wordnet.npy" --payloads "$data/wordnet.jsonl" --quiet)
expect 3 'no database' "$vdbctl" count "$work/none" c
[[ ! -e $work/none ]] || fail "a failed command made a folder"
expect 0 '10000 records' "$load" "$db" w "${files[@]}" --create
expect 1 'exists' "$load" "$db" w "${files[@]}" --create
expect 0 '"count": 1120' "$vdbctl" count "$db" w --filter "pos = 'verb'" --json
expect 0 '1120' "$vdbctl" count "$db" w --filter 'pos = $1' --bind '"verb"'
expect 0 'insect' "$vdbctl" search "$db" w --vector-file "$data/questions.npy:0" --fields lemmas
expect 0 'P0 exact, exact, complete' "$vdbctl" search "$db" w --id n/02159955 --exact
expect 0 '"complete": true' "$vdbctl" search "$db" w --id n/02159955 --json
expect 0 'filter' "$vdbctl" explain "$db" w --id n/02159955 --filter "depth > 3"
expect 2 'column' "$vdbctl" search "$db" w --id n/02159955 --filter "depth >"
expect 3 'there are: w' "$vdbctl" info "$db" nothing
expect 0 'good' "$vdbctl" verify "$db"
expect 0 'n/02159955' "$vdbctl" get "$db" w n/02159955
expect 0 'arthropod' "$vdbctl" scan "$db" w --prefix n/02159955
expect 0 '1 deleted' "$vdbctl" delete "$db" w n/02159955
expect 3 'n/02159955' "$vdbctl" get "$db" w n/02159955
expect 0 '10000 slots became 9999' "$vdbctl" compact "$db" w
expect 0 '9999' "$vdbctl" count "$db" w

# Small collections from the command line.
expect 0 'created s' "$vdbctl" create "$db" s --dim 2 --metric l2
expect 0 '1 written' "$vdbctl" put "$db" s --id a --vector '[1, 2]' --payload '{"x": 1}'
printf '{"id": "b", "vector": [3, 4]}\n{"id": "c", "vector": [5, 6], "payload": {"x": 2}}\n' >"$work/lines"
expect 0 '2 written' "$vdbctl" put "$db" s <"$work/lines"
expect 2 '3 components' "$vdbctl" put "$db" s --id a --vector '[1, 2, 3]'
expect 0 '3' "$vdbctl" count "$db" s
expect 0 '1 deleted' "$vdbctl" delete "$db" s --filter 'x = 2'
expect 0 '"name": "s"' "$vdbctl" collections "$db" --json
expect 0 'dropped s' "$vdbctl" drop "$db" s

# Bad rows: named, and skipped only if asked.
printf '[1, 2]\n[1]\n[3, 4]\n["x", 1]\n' >"$work/bad.jsonl"
expect 1 'bad.jsonl, line 2' "$load" "$db" bad --vectors "$work/bad.jsonl" --create --quiet
[[ $("$vdbctl" collections "$db") != *bad* ]] || fail "a failed load left its collection"
expect 3 '2 bad rows skipped' "$load" "$db" bad --vectors "$work/bad.jsonl" --create --skip-bad --quiet
expect 0 '2' "$vdbctl" count "$db" bad
head -n 5 "$data/wordnet.jsonl" >"$work/short.jsonl"
expect 1 'wanted one payload for each vector' "$load" "$db" x --vectors "$data/wordnet.npy" --payloads "$work/short.jsonl" --create --quiet

# Again over what is there. (Loads that are killed: load_test.cc.)
expect 0 '10000 records' "$load" "$db" w "${files[@]}" --mode replace
expect 0 '10000 records' "$load" "$db" w "${files[@]}" --mode append
expect 0 'good' "$vdbctl" verify "$db"
echo "all passed"
