//! A writer at a fixed rate: transactions of twenty changes that leave the table as large as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use crate::support::{DEADLINE, Db, Session, runtime, wait_until};

/// The writers.
pub(crate) struct Load {
    writers: Vec<JoinHandle<Result<()>>>,
    running: Arc<AtomicU32>,
    transactions: Arc<AtomicU64>,
}

impl Load {
    /// The table, with its first rows, and the transaction.
    pub(crate) fn prepare(db: &Db) {
        db.exec(&format!(
            "create table item (id bigint primary key, customer int, amount numeric(12,2), note text, at timestamptz);
             insert into item select g, g % 1000, g / 7.0, md5(g::text), now() from generate_series(0, {ROWS} - 1) g;
             create procedure work(n bigint) language plpgsql as $$
             declare first bigint := n * 5; middle bigint := first + 1000 + n * 7919 % ({ROWS} - 2000);
             begin
                 insert into item select g, g % 1000, g / 7.0, md5(g::text), now()
                     from generate_series(first + {ROWS}, first + {ROWS} + 4) g;
                 update item set amount = amount + 1, at = now() where id between middle and middle + 9;
                 delete from item where id between first and first + 4;
             end $$"
        ));
    }

    /// Writes `rate` changes a second for so long.
    pub(crate) fn begin(db: &Db, rate: u32, duration: Duration) -> Self {
        let (running, transactions) = (Arc::new(AtomicU32::new(WRITERS)), Arc::new(AtomicU64::new(0)));
        let start = Instant::now();
        let writers = (0..WRITERS).map(|_| {
            let (session, running, transactions) =
                (db.connect(), Arc::clone(&running), Arc::clone(&transactions));
            thread::spawn(move || {
                let done = write(&session, &transactions, (start, duration), rate);
                running.fetch_sub(1, Ordering::SeqCst);
                done
            })
        });
        Self { writers: writers.collect(), running, transactions }
    }

    /// Whether the time is up, or a writer has failed.
    pub(crate) fn is_done(&self) -> bool {
        self.running.load(Ordering::SeqCst) < WRITERS
    }

    /// Changes written, as the server counts them: a writer that was held up finds rows gone that another has deleted meanwhile.
    ///
    /// # Errors
    /// A writer has failed, or could not keep the rate, so that nothing was shown.
    pub(crate) fn finish(self, db: &Db) -> Result<u64> {
        // Their sessions end with them, and tell what they have counted.
        for writer in self.writers {
            writer.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        let planned = self.transactions.load(Ordering::SeqCst) * CHANGES;
        wait_until(DEADLINE, "end of the writers' sessions", || {
            db.query(
                "select 1 from pg_stat_activity where query like 'call work%' and pid <> pg_backend_pid()",
            )
            .is_empty()
        });
        let counts = db.query(&format!(
            "select n_tup_ins + n_tup_upd + n_tup_del - {ROWS} from pg_stat_user_tables where relname = 'item'"
        ));
        let counted = counts.first().and_then(|row| row.first()?.as_deref()?.parse::<u64>().ok());
        let counted = counted.ok_or_else(|| anyhow!("the server has no count of the table's changes"))?;
        ensure!(counted <= planned, "{counted} changes of {planned}");
        println!("{planned} changes planned, {} of them found nothing to change", planned - counted);
        Ok(counted)
    }
}

/// Transactions are numbered over all writers; each is due at its time.
fn write(
    session: &Session,
    transactions: &AtomicU64,
    (start, duration): (Instant, Duration),
    rate: u32,
) -> Result<()> {
    let client = session.client();
    let call = runtime().block_on(client.prepare("call work($1)"))?;
    loop {
        let number = transactions.fetch_add(1, Ordering::SeqCst);
        let due = Duration::from_micros(number * CHANGES * 1_000_000 / u64::from(rate));
        if due >= duration {
            // Nobody takes this number.
            transactions.fetch_sub(1, Ordering::SeqCst);
            return Ok(());
        }
        let late = start.elapsed().saturating_sub(due);
        ensure!(late < LATEST, "the writers are {late:?} behind: this machine cannot write {rate} changes/s");
        thread::sleep(due.saturating_sub(start.elapsed()));
        runtime().block_on(client.execute(&call, &[&i64::try_from(number)?]))?;
    }
}

/// Of one transaction.
const CHANGES: u64 = 20;
const ROWS: u32 = 100_000;
const WRITERS: u32 = 2;
/// A pause of the machine is caught up with.
const LATEST: Duration = Duration::from_secs(30);
