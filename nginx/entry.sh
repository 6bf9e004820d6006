# What front.sh and egress.sh share: how settings are read and how something is said.

# One JSON line; what nginx says may hold quotes.
say() {
  printf '{"time":"%s","level":"%s","service":"%s","msg":"%s"}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" \
    "$(basename "$0" .sh)" "$(printf %s "$2" | tr '\n\t' '  ' | sed 's/[\\"]/\\&/g')"
}

# The settings are wrong: 78 is EX_CONFIG, as with the bridges.
refuse() {
  say fatal "$1" >&2
  exit 78
}

# whole NAME DEFAULT LEAST MOST: the number in that variable.
whole() {
  eval "value=\${$1:-$2}"
  case $value in
    '' | *[!0-9]* | ??????????*) refuse "$1 must be a whole number" ;;
  esac
  if [ "$value" -lt "$3" ] || [ "$value" -gt "$4" ]; then refuse "$1 must be from $3 to $4"; fi
  printf %s "$value"
}

# text NAME DEFAULT PATTERN: the words in that variable. The pattern keeps out whatever could end a directive.
text() {
  eval "value=\${$1:-$2}"
  for word in $value; do
    printf %s "$word" | grep -Eqx "$3" || refuse "$1 holds something else than it should"
  done
  printf %s "$value"
}
