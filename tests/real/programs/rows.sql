-- 100,000 rows, an index, a join, updates and a vacuum; the file's bytes are compared.
pragma page_size = 4096;
create table people(id integer primary key, name text, town integer, score real);
create table towns(id integer primary key, name text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
    insert into towns select i, 'town ' || (i * 7919 % 1009) from n;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
    insert into people select i, 'name ' || (i * 31337 % 100003), i * 17 % 1000 + 1, i % 977 / 3.0
    from n;
create index people_town on people(town, score);
create index people_name on people(name);
select t.name, count(*), round(sum(p.score), 3) from people p join towns t on t.id = p.town
    group by t.name order by 3 desc, 1 limit 10;
update people set name = name || ' ' || upper(hex(id)) where id % 3 = 0;
delete from people where id % 7 = 0;
select count(*), max(name), min(name), sum(length(name)) from people;
select a.name, b.name from people a join people b on a.town = b.town and a.id = b.id + 1000
    order by a.name limit 5;
select group_concat(name, ',') from (select name from towns order by name limit 300);
with recursive f(n, a, b) as (select 1, 0, 1 union all select n + 1, b, a + b from f where n < 80)
    select max(b) from f;
vacuum;
pragma integrity_check;
