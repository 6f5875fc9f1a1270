#!/bin/sh
# Dumps a PostgreSQL database, sealed before it touches a disk, and proves that it can be restored.
#
#   backup.sh postgres://user@host/shop backup-2026-11-22.sr postgres://user@drill/empty
#
# STRONGROOM and PG_DUMP name other commands than `strongroom` and `pg_dump`.
set -eu

source_url=$1
backup=$2
drill_url=$3
strongroom=${STRONGROOM:-strongroom}
pg_dump=${PG_DUMP:-pg_dump}

# A failed dump looks like a short one, so what pg_dump said is asked before the backup gets its name.
status=$(mktemp)
trap 'rm -f "$status" "$backup.unchecked"' EXIT
{ $pg_dump --format=custom --no-owner "$source_url" || echo failed >"$status"; } |
  $strongroom seal --context kind=backup -o "$backup.unchecked" --force
[ ! -s "$status" ]

$strongroom backup verify "$backup.unchecked" --restore-into "$drill_url" --compare-with "$source_url"
mv "$backup.unchecked" "$backup"
