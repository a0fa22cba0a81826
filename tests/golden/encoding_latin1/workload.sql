insert into t values (1, 'é£ÿ', 'ñ', '{"k": "ü"}', '{é,ö}'); update t set v = 'naïve'; select pg_logical_emit_message(true, 'prefix', 'text é'); delete from t;
