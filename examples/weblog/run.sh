#!/usr/bin/env bash
# Do what README.md shows, in a folder of its own: bash run.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
cp "$here"/{make_log,send,learned}.py "$here"/{spec,mapping}.yaml "$folder"
cd "$folder"
trap 'printf "\n$ %s\n" "$BASH_COMMAND"' DEBUG # show each command before what it says

python make_log.py
head -n 2 clicks.ndjson
replaylake archive create shop --spec spec.yaml
replaylake publish shop clicks.ndjson --mapping mapping.yaml
replaylake ingest shop --once
replaylake query "select action, count(*) shown, avg(reward) clicked from shop.steps group by action order by action"
replaylake query "select ended, count(*) visits, avg(clicks) clicks from (select episode_id, bool_or(terminated) ended, sum(reward) clicks from shop.steps group by 1) group by 1 order by 1"

replaylake archive create live --spec spec.yaml
python send.py shop-events
replaylake ingest timeline live --topic shop-events --mapping mapping.yaml --once --close
replaylake ingest live --once
replaylake query "select count(*) differences from (select episode_id, step, observation, action, reward, terminated, truncated, event_time from shop.steps except select episode_id, step, observation, action, reward, terminated, truncated, event_time from live.steps)"

snapshot=$(replaylake snapshot create shop)
replaylake train --snapshot "$snapshot" --algorithm cql --output policy updates=600 gamma=0 n_step=1 alpha=0.01 reward_scale=1
python learned.py policy
