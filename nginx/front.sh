#!/bin/sh
# Starts the front: checks its settings, makes a certificate where none is given, starts nginx, and reloads it when the
# certificate changes. `front.sh reload` in the same container makes it read its configuration anew.
# Plain sh: the official image comes with and without bash.
set -eu

source=$(dirname "$0")
run=/tmp/front

. "$source/entry.sh"

# One setting each: where it is given, what it must look like, what it is otherwise.
settings() {
  workers=$(whole FRONT_WORKERS 2 1 64)
  max_body=$(whole FRONT_MAX_BODY_BYTES 1048576 1024 268435456)
  read_timeout=$(whole FRONT_READ_TIMEOUT_S 120 1 3600)
  requests=$(whole FRONT_REQUESTS_PER_SECOND 5000 1 1000000)
  connections=$(whole FRONT_CONNECTIONS 512 1 65535)
  https_port=$(whole FRONT_HTTPS_PORT 443 1 65535)
  resolver=$(text FRONT_RESOLVER 127.0.0.11 '[0-9A-Fa-f.:]+|\[[0-9A-Fa-f:]+\](:[0-9]+)?')
  names=$(text FRONT_TLS_NAMES localhost '[A-Za-z0-9.-]+')
  trusted=
  for network in $(text FRONT_TRUSTED_PROXIES '' '[0-9A-Fa-f.:/]+'); do
    trusted="${trusted}set_real_ip_from $network; "
  done

  hsts=
  cert=${FRONT_TLS_CERT:-}
  key=${FRONT_TLS_KEY:-}
  case ${FRONT_TLS:-on} in
    on) listen=tls ;;
    off) listen=plain ;;
    *) refuse "FRONT_TLS must be on or off" ;;
  esac
  if given FRONT_TLS_CERT "$cert" && given FRONT_TLS_KEY "$key"; then
    hsts='max-age=31536000'
  else
    cert=$run/self-signed.pem
    key=$run/self-signed.key
  fi
  # The usual port is not named in addresses.
  if [ "$https_port" = 443 ]; then https_port=; else https_port=:$https_port; fi
}

# Whether the file of a variable holds something. Secrets that are still to be written are empty files.
given() {
  [ -n "$2" ] || return 1
  [ -r "$2" ] || refuse "$1 names a file that user $(id -u) cannot read"
  grep -q . "$2"
}

render() {
  settings
  mkdir -p "$run"
  for file in "$source"/*.conf; do
    sed -e "s|\${FRONT_WORKERS}|$workers|g" \
      -e "s|\${FRONT_MAX_BODY_BYTES}|$max_body|g" \
      -e "s|\${FRONT_READ_TIMEOUT_S}|$read_timeout|g" \
      -e "s|\${FRONT_REQUESTS_PER_SECOND}|$requests|g" \
      -e "s|\${FRONT_CONNECTIONS}|$connections|g" \
      -e "s|\${FRONT_HTTPS_PORT}|$https_port|g" \
      -e "s|\${FRONT_RESOLVER}|$resolver|g" \
      -e "s|\${FRONT_TRUSTED_PROXIES}|$trusted|g" \
      -e "s|\${FRONT_LISTEN}|$listen|g" \
      -e "s|\${FRONT_HSTS}|$hsts|g" \
      -e "s|\${FRONT_CERT}|$cert|g" \
      -e "s|\${FRONT_KEY}|$key|g" \
      "$file" >"$run/$(basename "$file")"
  done
}

# For localhost and tests: nobody trusts it, and nobody has to carry a key around.
self_sign() {
  command -v openssl >/dev/null || refuse "this image has no openssl to make a certificate with: give FRONT_TLS_CERT and FRONT_TLS_KEY, or FRONT_TLS=off"
  alternatives=IP:127.0.0.1
  for name in $names; do alternatives="$alternatives,DNS:$name"; done
  (
    umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=${names%% *}" \
      -addext "subjectAltName=$alternatives" -keyout "$key" -out "$cert" 2>/dev/null
  ) || refuse "openssl could not make a certificate"
  say warn "TLS with a self-signed certificate for $names: give FRONT_TLS_CERT and FRONT_TLS_KEY in production"
}

# Never with a configuration, or half of a new certificate, that would not start.
reload() {
  render
  if tested=$(nginx -t -q -c "$run/nginx.conf" -e stderr 2>&1); then
    kill -HUP "$(cat "$run/nginx.pid")"
    say info "reloaded"
  else
    say error "not reloaded: $tested"
    return 1
  fi
}

fingerprint() {
  cat "$cert" "$key" 2>/dev/null | cksum
}

# $1: what nginx was started with, or something older.
watch_certificate() {
  last=$1
  while sleep 5; do
    now=$(fingerprint)
    [ "$now" = "$last" ] && continue
    # Remembered whether or not it could be taken: it is tried once, and again when it changes.
    last=$now
    (reload) || true
  done
}

if [ "${1:-start}" = reload ]; then
  reload
  exit
fi

render
if [ "$listen" = tls ] && [ -z "$hsts" ]; then self_sign; fi
# Before nginx reads them: what changes from here on is noticed.
begun_with=$(fingerprint)
nginx -t -q -c "$run/nginx.conf" -e stderr || refuse "nginx does not take this configuration"
nginx -c "$run/nginx.conf" -e stderr -g 'daemon off;' &
nginx=$!
if [ "$listen" = tls ] && [ -n "$hsts" ]; then watch_certificate "$begun_with" & fi

# Calls in flight get their answers, whichever signal the container is stopped by.
trap 'kill -QUIT "$nginx"' QUIT TERM INT
trap '(reload) || true' HUP
while kill -0 "$nginx" 2>/dev/null; do
  status=0
  wait "$nginx" || status=$?
done
exit "$status"
