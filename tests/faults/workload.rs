//! Transactions of every size, written by the server itself: single rows, thousands of rows, the same few keys over and
//! over from sessions that run side by side, savepoints that are rolled back. Triggers put down what each transaction did,
//! in the same transaction and in the order it did it: the table `truth` is what the verifier believes.

use std::thread;

use crate::support::Db;

const SCHEMA: &str = "
    create table account (id int primary key, v bigint not null);
    create table item (id bigserial primary key, owner int not null, v bigint not null, note text);
    create table journal (id bigserial, v bigint not null);
    create table truth (
        seq bigserial primary key, tx bigint not null default txid_current(),
        entry text not null);
    create function put_down() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' then
            insert into truth (entry) values (tg_table_name || ' d ' || old.id);
        else
            insert into truth (entry)
            values (tg_table_name || case tg_op when 'INSERT' then ' c ' else ' u ' end || new.id || ' ' || new.v);
        end if;
        return null;
    end $$;
    create trigger put_down after insert or update or delete on account for each row execute function put_down();
    create trigger put_down after insert or update or delete on item for each row execute function put_down();
    create trigger put_down after insert on journal for each row execute function put_down();

    -- Changes in transactions of mixed sizes, at least `total` of them. Each transaction takes one hot account, so that
    -- sessions wait for each other and never for themselves.
    create procedure work(worker int, seed float8, total int) language plpgsql as $$
    declare
        done int := 0;
        size int;
        chance float8;
        hot int;
    begin
        perform setseed(seed);
        while done < total loop
            chance := random();
            size := case when chance < 0.80 then 1 + floor(random() * 4)
                         when chance < 0.97 then 10 + floor(random() * 40)
                         when chance < 0.998 then 200 + floor(random() * 400)
                         else 5000 end;
            hot := 1 + floor(random() * 20);
            if size = 1 then
                update account set v = v + 1 where id = hot;
                done := done + 1;
            else
                insert into item (owner, v, note)
                select worker, 0, repeat('headwater ', n % 12) from generate_series(1, size / 2) n;
                update account set v = v + 1 where id = hot;
                begin
                    update account set v = v + 100 where id = hot;
                    insert into item (owner, v) values (worker, -1);
                    raise exception 'rolled back';
                exception when raise_exception then null;
                end;
                update account set v = v + 1 where id = hot;
                insert into journal (v) values (size);
                update item set v = v + 1 where owner = worker and id in (
                    select id from item where owner = worker order by id desc limit size / 3);
                delete from item where owner = worker and id in (
                    select id from item where owner = worker order by id limit size / 8);
                done := done + 3 + size / 2 + size / 3 + size / 8;
            end if;
            commit;
        end loop;
    end $$;
    create index on item (owner, id);
";

/// Makes the tables. Nothing is captured yet, so the accounts are there from the start and are no events.
pub(super) fn prepare(db: &Db) {
    db.exec(SCHEMA);
    db.exec(
        "alter table account disable trigger put_down;
         insert into account select n, 0 from generate_series(1, 20) n;
         alter table account enable trigger put_down",
    );
}

/// Sessions that are writing.
pub(super) struct Load(Vec<thread::JoinHandle<Result<(), tokio_postgres::Error>>>);

/// Begins to write about `changes` changes, in so many sessions at once.
pub(super) fn begin(db: &Db, workers: i32, changes: usize, seed: f64) -> Load {
    let share = changes / usize::try_from(workers).unwrap();
    let begin = |worker| {
        let session = db.connect();
        let seed = (seed + f64::from(worker) / 10.0) % 1.0;
        thread::spawn(move || session.try_exec(&format!("call work({worker}, {seed}, {share})")))
    };
    Load((0..workers).map(begin).collect())
}

impl Load {
    /// Waits until all is written.
    pub(super) fn finish(self) {
        for worker in self.0 {
            worker.join().unwrap().unwrap();
        }
    }

    /// Waits until the server has ended the sessions; what they had committed counts.
    pub(super) fn interrupted(self) {
        for worker in self.0 {
            let _ended = worker.join().unwrap();
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.0.iter().all(thread::JoinHandle::is_finished)
    }
}

/// Writes about `changes` changes and waits for it.
pub(super) fn write(db: &Db, changes: usize) {
    begin(db, 1, changes, 0.5).finish();
}
