#!/bin/sh
# The command `fleet` inside the image.
# `health` is asked every few seconds, so it gets neither the command line's parser nor telemetry.
if [ "$*" = health ]; then exec node /app/core/cli/health.ts; fi
exec node --initial-old-space-size=64 --import /app/core/telemetry/register.ts /app/core/cli/fleet.ts "$@"
