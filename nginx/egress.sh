#!/bin/sh
# Starts the way out: finds which of this container's addresses belongs to which bridge's network, then runs nginx.
# `egress.sh health` says by its exit code whether it listens; `egress.sh reload` makes it read its configuration anew.
set -eu

source=$(dirname "$0")
run=/tmp/egress

. "$source/entry.sh"

if [ "${1:-start}" = health ]; then
  # A connection that says nothing is closed by nginx; that it was taken is enough.
  openssl s_client -connect 127.0.0.1:443 -noservername </dev/null 2>&1 | grep -q '^CONNECTED'
  exit
fi

resolver=$(text EGRESS_RESOLVER '' '[0-9A-Fa-f.]+(:[0-9]+)?|\[[0-9A-Fa-f:]+\](:[0-9]+)?')
case " $resolver " in
  '  ') refuse "EGRESS_RESOLVER must name DNS servers, e.g. the host's own" ;;
  *' 127.0.0.11'[\ :]*) refuse "EGRESS_RESOLVER is Docker's resolver, to which the vendors' names are this service itself" ;;
esac

# On its network each bridge knows this service as egress-NAME. Docker answers with an address of that network.
networks=
for bridge in $(sed -n 's/^ *\([a-z0-9-]*\):[a-z0-9.-]* .*/\1/p' "$source/egress.conf" | sort -u); do
  addresses=$(getent ahostsv4 "egress-$bridge" | cut -d' ' -f1 | sort -u || true)
  if [ -z "$addresses" ]; then
    say warn "no network has the name egress-$bridge for this service: $bridge reaches no vendor"
    continue
  fi
  for address in $addresses; do networks="$networks$address $bridge; "; done
done

mkdir -p "$run"
sed -e "s|\${EGRESS_RESOLVER}|$resolver|g" -e "s|\${EGRESS_NETWORKS}|$networks|g" "$source/egress.conf" >"$run/nginx.conf"
if [ "${1:-start}" = reload ]; then
  nginx -t -q -c "$run/nginx.conf" -e stderr
  kill -HUP "$(cat "$run/nginx.pid")"
  say info "reloaded"
  exit
fi
exec nginx -c "$run/nginx.conf" -e stderr -g 'daemon off;'
