-- One statement a line; {secret} is a file with a canary, {folder} where it is, {lake} the lake, {pwd} the working folder.
select * from read_text('{secret}')
select * from read_text(['{secret}'])
select * from read_blob('{secret}')
select * from read_csv('{secret}')
select * from read_csv_auto('{secret}')
select * from read_csv('{secret}', columns = {{'a': 'varchar'}}, auto_detect = false)
select * from read_json('{secret}')
select * from read_json_auto('{secret}')
select * from read_json_objects('{secret}')
select * from read_ndjson_objects('{secret}')
select * from read_parquet('{secret}')
select * from read_single_csv_file('{secret}')
select * from read_single_json_file('{secret}')
select * from read_duckdb('{folder}/secret.db')
select * from sniff_csv('{secret}')
select * from glob('{folder}/*')
select * from glob('/etc/*')
select * from parquet_metadata('{secret}')
select * from parquet_schema('{secret}')
select * from parquet_kv_metadata('{secret}')
select * from parquet_file_metadata('{lake}/demo/steps/**/*.parquet')
select * from parquet_bloom_probe('{secret}', 'a', 1)
select * from '{secret}'
select * from "{secret}"
from '/etc/passwd'
select * from '{folder}/*.csv'
select (select content from read_text('{secret}')) from demo.steps
with a as (select * from read_text('{secret}')) select * from a
select * from demo.steps where source in (select content from read_text('{secret}'))
select * from demo.steps, lateral (select * from read_text('{secret}'))
explain analyze select * from read_text('{secret}')
explain select * from read_csv('{secret}')
describe select * from read_csv('{secret}')
describe '{secret}'
summarize '{secret}'
summarize select * from read_csv('{secret}')
select * from (pivot read_csv('{secret}') on a in (1))
select * from query('select * from read_text(''{secret}'')')
select * from query_table('{secret}')
select * from query_table(['demo.steps', '{secret}'])
select * from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''{secret}'')'))
select json_execute_serialized_sql(json_serialize_sql('select 1'))
select * from read_parquet('{lake}/other/steps/**/*.parquet')
select * from read_parquet('{lake}/demo/steps/**/*.parquet') -- demo.steps
select * from read_text('{lake}/demo/snapshots/*.json') -- demo.steps
select * from read_text('{lake}/lake.json')
select * from read_json('{lake}/demo/steps/_delta_log/*.json')
select * from read_text('{folder}/link')
select * from '{folder}/[s]ecret.csv'
select * from delta_scan('{lake}/demo/steps')
select * from read_text('http://127.0.0.1:1/x')
select * from read_csv('https://127.0.0.1:1/x.csv')
select * from 's3://bucket/x.parquet'
select * from read_text('file://{secret}')
select * from read_text('/proc/self/environ')
select * from read_text('{pwd}/../secret.csv')
copy demo.steps to '{folder}/out.csv'
copy (select 1) to '{folder}/out.parquet'
copy (select 1) to '/dev/stdout'
explain analyze copy (select 1) to '{folder}/out.csv'
export database '{folder}/out'
import database '{folder}'
attach '{folder}/new.db'
attach '{folder}/new.db' as x (read_only)
attach ':memory:' as y
detach memory
use demo
install httpfs
force install httpfs from 'http://127.0.0.1:1'
load httpfs
load '{folder}/evil.duckdb_extension'
select load_extension('httpfs')
set enable_external_access = true
set allowed_paths = ['{secret}']
set memory_limit = '100GB'
set lock_configuration = false
reset lock_configuration
set variable x = 1
pragma database_list
pragma temp_directory = '{folder}'
pragma enable_profiling = 'json'
call pragma_version()
create table t as select * from read_text('{secret}')
create view demo.v as select 1
create or replace view demo.steps as select 1
create macro steal() as table select * from read_text('{secret}')
create secret (type s3, key_id 'x', secret 'y')
create type mood as enum (select content from read_text('{secret}'))
create function f() as 1
insert into demo.steps select * from demo.steps
update demo.steps set reward = 1
delete from demo.steps
truncate demo.steps
drop view demo.steps
drop schema demo cascade
alter view demo.steps rename to x
explain analyze delete from demo.steps
explain insert into demo.steps select 1
vacuum
checkpoint
begin transaction
select 1; copy (select 1) to '{folder}/out.csv'
select 1; drop view demo.steps
prepare p as select * from read_text('{secret}')
execute p
deallocate p
select getenv('HOME')
select current_setting('allowed_paths')
select getvariable('x')
select write_log('x')
select nextval('x')
select * from duckdb_secrets()
select * from duckdb_settings()
select * from duckdb_databases()
select * from duckdb_temporary_files()
select * from duckdb_external_file_cache()
select * from duckdb_logs()
select * from which_secret('s3://x', 's3')
select * from sqlite_master
select * from pg_catalog.pg_settings
select * from system.main.duckdb_settings
select * from canary_frame
select * from arrow_scan(1, 2, 3)
select * from arrow_scan_dumb(1, 2, 3)
select * from pandas_scan(1)
select * from python_arrow_scan(1)
select * from python_map_function(1)
select * from seq_scan('x')
select * from "demo@1".steps
select * from demo."our audited"
select * from memory.demo.steps
select * from temp."empty demo.audited"
select * from demo.steps at (version => (select max(content) from read_text('{secret}')))
select * from demo.steps at (version => 10000000000000000000)
select * from demo.steps_at('{secret}')
select * from demo.steps_at((select count(*) from read_text('{secret}')))
select * from demo.steps at (timestamp => (select content from read_text('{secret}') limit 1))
select count(*) from range(1000000000000)
select count(*) from range(10000000) a, range(10000000) b, range(10000000) c where a.range + b.range = c.range
with recursive t as (select 1 as x union all select x + 1 from t) select max(x) from t
with recursive t as (select 'x' as x union all select x || x from t) select max(len(x)) from t
select count(*) from demo.steps a, demo.steps b, range(100000000000)
select list(range) from range(10000000000)
select string_agg(range::varchar, '') from range(10000000000)
select * from range(10000000000) order by hash(range) desc
select count(distinct range) from range(10000000000)
select length(repeat('x', 4000000000))
select 'x'.repeat(4000000000)
select system.main.repeat('x', 4000000000)
select len(range(10000000000))
select len(range(1, 10000000000))
select len(range(1, 100000000000, 2))
select len(generate_series(1, 10000000000))
select len(list_resize([1], 2000000000))
select length(lpad('x', 2000000000, 'y'))
select length(rpad('x', 2000000000, 'y'))
select length(bitstring('1', 2000000000))
select length(format('{{:1000000000}}', 1))
select length(printf('%1000000000d', 1))
select length(printf('%*d', 1000000000, 1))
select length(replace(repeat('a', 60000), 'a', repeat('b', 60000)))
select length(regexp_replace(repeat('a', 60000), 'a', repeat('b', 60000), 'g'))
select count(*) from (select unnest(range(60000)) from range(10000000000))
