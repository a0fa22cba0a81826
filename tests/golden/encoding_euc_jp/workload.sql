insert into "注文" values (2, default, '{"a": "ｶﾅ"}', null, '悪い');
update "注文" set "名前" = '漢字' where "番号" = 1;
delete from "注文" where "番号" = 2;
insert into k values ('東京', '駅');
update k set id = '大阪';
select pg_logical_emit_message(true, '前置', '内容');
