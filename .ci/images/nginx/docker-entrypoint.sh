#!/bin/sh
# As in the real image: what lies in /docker-entrypoint.d runs before nginx does.
set -e
if [ "$1" = nginx ]; then
  for script in /docker-entrypoint.d/*.sh; do
    if [ -x "$script" ]; then "$script"; fi
  done
fi
exec "$@"
