-- What pgbench must have left behind: every transaction in every sum.
select count(*) from pgbench_history;
select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)
       and (select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history)
       and (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history);
-- Sorts and hashes in memory and beyond it.
set work_mem = '1MB';
create table words as
    select i, md5(i::text) as word, i * 7919 % 1009 as class from generate_series(1, 60000) i;
create index on words (class, word);
analyze words;
select class, count(*), min(word), max(word) from words group by class order by class limit 5;
select md5(string_agg(word, ',' order by word desc)) from words;
select count(*), sum(a.i) from words a join words b on a.word < b.word and a.class = b.class
    where a.class < 40;
set work_mem = '64MB';
select md5(string_agg(w, '')) from (select word || class as w from words order by class, word) s;
-- Big values, arrays, documents, regular expressions, recursion.
select length(repeat(word, 50000)), md5(repeat(word, 50000)) from words where i = 17;
select sum(cardinality(a)) from (select array_agg(word) as a from words group by class) s;
select sum((d ->> 'n')::int) from
    (select jsonb_build_object('n', i, 'w', array[word, word]) as d from words) s;
select count(*) from words where word ~ '(ab|cd)+[0-9]{2}f';
with recursive fib(n, a, b) as (
    select 1, 0::numeric, 1::numeric union all select n + 1, b, a + b from fib where n < 2000)
    select md5(string_agg(a::text, ' ')) from fib;
-- Compiled by LLVM, where it is installed.
set jit = on;
set jit_above_cost = 0;
set jit_inline_above_cost = 0;
set jit_optimize_above_cost = 0;
select class % 7 as k, sum(i * 3 + class), avg(length(word)) from words group by k order by k;
do $$
declare
    total bigint := 0;
begin
    for n in 1..200 loop
        begin
            total := total + n / (n % 3);
        exception when division_by_zero then
            total := total + 1000;
        end;
    end loop;
    raise info 'total %', total;
end $$;
