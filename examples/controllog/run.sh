#!/usr/bin/env bash
# Do what README.md shows, in a folder of its own: bash run.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
cp "$here"/{make_log,agreement}.py "$here"/{spec,mapping}.yaml "$here"/suite.json "$folder"
cd "$folder"
trap 'printf "\n$ %s\n" "$BASH_COMMAND"' DEBUG # show each command before what it says

python make_log.py
head -n 3 history.csv
grep -m 1 E12 history.csv
replaylake archive create tank --spec spec.yaml --suite suite.json
replaylake publish tank history.csv --mapping mapping.yaml --dry-run
replaylake publish tank history.csv --mapping mapping.yaml
replaylake ingest tank --once
replaylake query "select reasons[1] reason, count(*) lines, min(detail) as such_as from tank.quarantine group by 1 order by 1"
replaylake query "select count(distinct episode_id) runs, count(*) steps, count(*) filter (terminated) faults, count(*) filter (truncated) cut_off, count(info) gaps from tank.steps"
replaylake query "select policy_version as operator, count(*) steps, avg(reward) reward from tank.steps group by 1 order by 1"

snapshot=$(replaylake snapshot create tank --where "date < '2025-03-07'")
replaylake train --snapshot "$snapshot" --algorithm bc --output bc updates=500
replaylake train --snapshot "$snapshot" --algorithm cql --output cql updates=800 gamma=0.9 alpha=0.05 reward_scale=0.3
python agreement.py bc cql
