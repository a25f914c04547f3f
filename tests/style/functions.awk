# Functions are short and take few parameters. awk -f functions.awk FILE…: prints each that is not, exits 1 if any.
#
# A function has at most 70 lines, signature included, or 100 where the comment above it says why:
#   // 84 lines: Algorithm 2 whole; splitting hides the stop rule.
# and at most 5 parameters, or more where the comment says why (`// 7 parameters: …`). Reads code as clang-format lays it out: a function ends at the first line that begins with
# a brace at the indentation of its first line.

BEGIN {
  max_lines = 70
  max_lines_with_reason = 100
  max_parameters = 5
}

FNR == 1 && NR > 1 { scan() }
FNR == 1 { file = FILENAME; count = 0; delete lines }
{ lines[++count] = $0 }
END {
  if (NR > 0) scan()
  if (bad) exit 1
}

function indent_of(text) {
  match(text, /^ */)
  return RLENGTH
}

# Walks over what stands outside functions, statement by statement.
function scan(  i, text, statement, first, macro) {
  statement = ""
  macro = 0
  for (i = 1; i <= count; ++i) {
    text = lines[i]
    if (macro || text ~ /^ *#/) {
      macro = text ~ /\\$/
      continue
    }
    sub(/ *\/\/ .*$/, "", text)
    if (text ~ /^ *$/ || text ~ /^ *\/\//) continue
    if (statement == "") first = i
    statement = statement " " text
    if (text ~ /\{$/) {
      if (is_function(statement)) i = check(first, end_of(first, i), statement)
      statement = ""
    } else if (text ~ /[;}]$/ || text ~ /^ *(public|private|protected):$/) {
      if (text ~ /}$/ && is_function(statement)) check(first, i, statement)
      statement = ""
    }
  }
}

function is_function(statement,  before) {
  if (statement !~ /\(/) return 0
  sub(/^ *(template *<[^{}]*> *)?/, "", statement)
  if (statement ~ /^(namespace|class|struct|union|enum|extern|using|typedef|static_assert)/) return 0
  before = statement
  sub(/\(.*$/, "", before)
  return before !~ /[^=!<>]=[^=]/ || before ~ /operator/
}

# The last line of a function whose first line and line of the opening brace are given.
function end_of(first, opened,  last, indent) {
  indent = indent_of(lines[first])
  last = opened
  do ++last; while (last < count && !(lines[last] ~ /^ *}/ && indent_of(lines[last]) <= indent))
  return last
}

# Whether the comment above a function gives a reason for so many lines or parameters.
function has_reason(first, what,  i) {
  for (i = first - 1; i > 0 && lines[i] ~ /^ *\/\//; --i) {
    if (lines[i] ~ ("// [0-9]+ " what ": .")) return 1
  }
  return 0
}

# Returns last.
function check(first, last, statement,  limit, parameters) {
  limit = has_reason(first, "lines") ? max_lines_with_reason : max_lines
  if (last - first + 1 > limit) report(first, (last - first + 1) " lines; at most " limit)
  parameters = count_parameters(statement)
  if (parameters > max_parameters && !has_reason(first, "parameters")) {
    report(first, parameters " parameters; at most " max_parameters)
  }
  return last
}

function report(line, what) {
  print file ":" line ": " what ": " lines[line]
  bad = 1
}

# Counts in the first parentheses that follow a function's name.
function count_parameters(statement,  i, c, depth, word, inside, commas, list) {
  word = ""
  for (i = 1; i <= length(statement); ++i) {
    c = substr(statement, i, 1)
    if (!inside && c == "(") {
      inside = 1
      depth = 0
      commas = 0
      list = ""
    } else if (inside) {
      if (c == ")" && depth == 0) {
        if (word !~ /(__attribute__|requires|noexcept|decltype|alignas|explicit|operator)$/) {
          return list ~ /^ *(void)?$/ ? 0 : commas + 1
        }
        inside = 0
        word = ""
        continue
      }
      if (c ~ /[(\[{<]/) ++depth
      if (c ~ /[)\]}>]/) --depth
      if (c == "," && depth == 0) ++commas
      list = list c
    } else if (c != " ") {
      word = c ~ /[A-Za-z0-9_]/ ? word c : ""
    } else if (substr(statement, i + 1, 1) != "(") {
      word = ""
    }
  }
  return 0
}
