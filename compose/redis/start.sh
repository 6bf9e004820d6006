#!/bin/sh
# Starts Redis with the password of its secret file, which stands neither in argv nor in the environment.
set -eu
umask 077
{
  cat /etc/redis/redis.conf
  printf 'requirepass %s\n' "$(cat /run/secrets/redis_password)"
} >/tmp/redis.conf
exec redis-server /tmp/redis.conf
