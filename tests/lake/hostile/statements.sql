-- One statement a line; {secret} is a file with a canary, {folder} where it is, {lake} the lake, {file} a file of it, {pwd} the working folder.
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
select ('{secret}').read_text()
select ('{secret}').read_text().content
select '{secret}'.read_csv()
from range(3) as t(i), read_text('{secret}')
from demo.steps semi join '{secret}' as s on s.a = source
select * from demo.steps positional join read_csv('{secret}')
select * from demo.steps asof join '{secret}' s on s.b < step
select r.content from demo.steps, lateral read_text('{secret}') as r
select (from read_text('{secret}') select content)
select exists (from '{secret}')
select 'x' in (from read_text('{secret}') select content)
select array(select content from read_text('{secret}'))
select [c for c in (select list(content) from read_text('{secret}'))]
select list_transform([1], lambda x: (select first(content) from read_text('{secret}')))
select columns(c -> c in (select content from read_text('{secret}'))) from demo.steps
select columns('{secret}') from '{secret}'
select * replace ((select first(content) from read_text('{secret}')) as source) from demo.steps
select step from demo.steps order by (select first(content) from read_text('{secret}'))
select step from demo.steps limit (select count(*) from read_text('{secret}'))
select step from demo.steps qualify row_number() over (order by (select content from read_text('{secret}'))) = 1
select sum(reward) filter (where source in (from read_text('{secret}') select content)) from demo.steps
select count(*) from demo.steps group by all having count(*) in (from read_text('{secret}') select size)
select sum(step) over w from demo.steps window w as (order by (select content from read_text('{secret}')))
from (pivot demo.steps on source in (select content from read_text('{secret}')) using count(*))
from (unpivot (from read_csv('{secret}')) on columns(*) into name n value v)
pivot demo.steps on (select content from read_text('{secret}')) using count(*)
from (values ((select content from read_text('{secret}')))) as t(v)
select 1 union all by name from '{secret}'
select 1 except from read_csv('{secret}')
with a as materialized (from '{secret}'), b as (from a) from b
with recursive t(x) as (select 1 union all select x + 1 from t, read_text('{secret}') where x < 3) from t
with recursive t(x, y) as (select 1, 1 union all select a.x, b.y from t a, t b) select count(*) from t
with a as (copy demo.steps to '{folder}/out.csv') from a
with a as (copy (select 1) to '{file}' (format csv, use_tmp_file false)) select * from demo.steps, a
with a as (copy (select 1) to '{file}' (format parquet, use_tmp_file false)) select * from demo.steps, a
with a as materialized (copy (select 1) to '{file}' (use_tmp_file false)), b as (from a) from b, demo.steps
with recursive a as (copy (select 1) to '{file}' (use_tmp_file false)) from a, demo.steps
from demo.steps where step in (with a as (copy (select 1) to '{file}' (use_tmp_file false)) from a)
(with a as (copy (select 1) to '{file}' (use_tmp_file false)) from a) union all select step from demo.steps
explain analyze with a as (copy (select 1) to '{file}' (use_tmp_file false)) select * from demo.steps, a
explain analyze (with a as (copy (select 1) to '{file}' (use_tmp_file false)) select * from demo.steps, a)
explain (/* x */ ANALYZE, format json) copy (select 1) to '{file}' (use_tmp_file false)
explain ("analyze") copy (select 1) to '{file}' (use_tmp_file false)
explain analyze (table demo.steps), read_text('{secret}')
describe with a as (copy (select 1) to '{file}' (use_tmp_file false)) select * from demo.steps, a
summarize with a as (copy (select 1) to '{file}' (use_tmp_file false)) select * from demo.steps, a
from (with a as (copy (select 1) to '{file}' (use_tmp_file false)) from a), demo.steps
with a as (copy demo.steps to '{folder}/out' (format parquet, partition_by (date), overwrite)) from a
copy (select 1) to '{file}' (format csv, use_tmp_file false)
with a as (insert into demo.steps from demo.steps returning *) from a
with a as (update demo.steps set reward = 1 returning *) from a
with a as (delete from demo.steps returning *) from a
from (describe '{secret}')
from (summarize '{secret}')
from (show all tables), '{secret}'
from (table '{secret}')
table "{secret}"
from '{secret}' tablesample 1 rows
select 1 from U&"r\0065ad" as x, read_text(U&'{secret}')
select * from "read_text"('{secret}')
select * from "READ_TEXT"('{secret}')
select * from read_text/**/('{secret}')
select * from read_text -- one line
select * from/**/'{secret}'
/* select */ copy (select 1) to '{folder}/out.csv'
select * from main.read_text('{secret}')
select * from system.main.read_text('{secret}')
select * from pg_catalog.read_csv('{secret}')
select * from read_text(e'\x2fetc\x2fpasswd')
select * from read_text($${secret}$$)
select * from read_text($1)
select * from query_table($1)
from parquet_scan('{secret}')
from parquet_full_metadata('{lake}/demo/steps/**/*.parquet')
from read_single_parquet_file('{secret}')
from read_json_objects_auto('{secret}')
from repeat_row(1, num_rows = 100000000000)
from repeat('x', 100000000000)
from test_all_types()
from test_vector_types(null::int)
from duckdb_variables()
from duckdb_extensions()
from duckdb_memory()
from duckdb_tables()
from duckdb_schemas()
from duckdb_prepared_statements()
from duckdb_logs_parsed('HTTP')
from pragma_database_size()
from pragma_user_agent()
from pragma_table_info('{secret}')
from enable_logging()
from enable_logging(storage = 'file', storage_path = '{folder}/logs')
from enable_profiling(format = 'json', save_location = '{folder}/profile.json')
from checkpoint()
from force_checkpoint()
from truncate_duckdb_logs()
from create_external_resource('x')
from register_external_resource('x')
from summary((from '{secret}'))
from histogram('{secret}', a)
from histogram_values('{secret}', a)
select json_execute_serialized_sql('x')
select json_serialize_plan('from read_text(''{secret}'')')
select setval('x', 1)
select sleep_ms(100000)
select pg_sleep(100000)
select system.main.getenv('HOME')
select 'HOME'.getenv()
select 'allowed_paths'.current_setting()
select invoke(lambda x: getenv(x), 'HOME')
select list_transform(['HOME'], lambda x: getenv(x))
select list_transform(['allowed_paths'], lambda x: current_setting(x))
select apply(['x'], lambda x: (from read_text('{secret}') select content))
select len(equi_width_bins(0, 1000000000000, 1000000000, false))
select len(to_base(1, 2, 2000000000))
select len(overlay('x' placing repeat('y', 60000) from 1 for 1).repeat(60000))
select len(list_transform(range(1000000), lambda x: range(1000000)))
select sum(levenshtein(range::varchar, (range + 1)::varchar)) from range(1000000000000)
select max(len(repeat(range::varchar, 60000))) from range(10000000000)
select * from demo.steps at (version => len(repeat('x', 4000000000)))
select * from demo.steps at (version => len(range(100000000000)))
select * from demo.steps at (version => getenv('HOME')::int)
select * from demo.steps at (version => '{secret}'.read_text())
select * from demo.steps at (version => (lambda x: x)(1))
select * from demo.steps_at(len(range(100000000000)))
select * from demo.n_step((select count(*) from read_text('{secret}')))
select * from demo.advantages((select count(*) from read_text('{secret}')))
select * from demo.gae(getenv('HOME')::int)
execute immediate 'select 1'
prepare p as select 1; execute p
set variable x = (select content from read_text('{secret}'))
set session memory_limit = '100GB'
set schema = 'demo'
reset all
call enable_logging()
call duckdb_settings()
comment on view demo.steps is 'x'
explain (format json) copy (select 1) to '{folder}/out.csv'
explain (analyze, format html) from '{secret}'
export database '{folder}/out' (format parquet)
attach '{lake}/demo' as x (type delta)
create temp table t as from '{secret}'
create temp macro m(x) as x
create or replace temp view v as from '{secret}'
create sequence s
create index i on demo.steps (step)
merge into demo.steps using demo.steps s on false when not matched then insert
load 'httpfs'; select 1
;;
