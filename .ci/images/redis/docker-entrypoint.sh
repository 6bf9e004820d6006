#!/bin/sh
# As in the real image: options alone are the server's; root hands its folder and itself over to the user redis.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then set -- redis-server "$@"; fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user redis -exec chown redis '{}' +
  exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
fi
# The real image has no protected mode by default: a container's network is its fence.
if [ "$1" = redis-server ]; then set -- "$@" --protected-mode no; fi
exec "$@"
