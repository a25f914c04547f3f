#!/usr/bin/env bash
# Reads what tools/quickstart printed, from standard input: quickstart_output.sh first|second
# The first run loads and installs the Python package; every run answers five questions, with plan and time, the fourth
# with nothing, and two from Python, with three nouns each.
set -euo pipefail
run=$1
text=$(cat)
fail() { echo "quickstart, $run run: $1" >&2; exit 1; }
has() { grep -qE -- "$1" <<<"$text" || fail "nothing like: $1"; }
# The part of the text that answers question N.
part() { sed -n "/^$1\\. /,/^$(($1 + 1))\\. /p" <<<"$text"; }

if [[ $run == first ]]; then
  has '^Loading 10,000 '
  has '^Installing the Python package '
else
  if grep -q '^Loading ' <<<"$text"; then fail "loads again"; fi
  if grep -q '^Installing ' <<<"$text"; then fail "installs the Python package again"; fi
fi
for n in 1 2 3 4 5; do
  has "^$n\\. "
  grep -qE 'P[01] [a-z]+.*complete' <<<"$(part "$n")" || fail "no plan and completeness in answer $n"
  grep -qE '[0-9.]+ (ms|us|µs)' <<<"$(part "$n")" || fail "no time in answer $n"
done
for n in 1 2 3 5; do
  grep -qE '^ *[0-9]* *[anrv]/[0-9]{8}' <<<"$(part "$n")" || fail "no hits in answer $n"
done
if grep -qE '^ *[0-9]* *[anrv]/[0-9]{8} ' <<<"$(part 4)"; then fail "hits in answer 4"; fi
python=$(sed -n '/^From Python/,/^Try next/p' <<<"$text")
answers=$(grep -cE '^[A-Z].*[?] [|] [01][.][0-9]{3} [|] [^|]+ [|] [^|]+' <<<"$python" || true)
[[ $answers -eq 6 ]] || fail "$answers hits from Python; wanted 6"
grep -qF '| claustrophobia |' <<<"$python" || fail 'Python does not find the fear of small rooms'
has '^Try next'
